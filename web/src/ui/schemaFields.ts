// From JSON Schema to the fields of a form, and from what was typed to JSON. Not validation: the server has the one truth.
import type { ApiProblem } from '../api/problem'
import type { Words } from './formWords'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
export type Schema = { [name: string]: Json }

export interface Field {
  kind: 'text' | 'long' | 'number' | 'integer' | 'boolean' | 'choice' | 'date' | 'datetime' | 'time' | 'rows' | 'group' | 'json'
  name: string
  title: string
  description: string | null
  required: boolean
  nullable: boolean
  /** Used by the server if nothing is given. */
  fallback: Json | undefined
  example: Json | undefined
  options: { value: Json; label: string }[]
  /** Of `rows`: what stands in each. */
  of: Field | null
  /** Of `group`. */
  fields: Field[]
}

/** What was typed: text of a simple field, one for each row, one for each part of a group. */
export type Draft = string | Draft[] | { [name: string]: Draft }

export interface FormFault {
  /** The path of the field, `symbols.0.name`. */
  path: string
  message: string
}

const FORMATS: Record<string, Field['kind']> = { date: 'date', 'date-time': 'datetime', time: 'time' }
const SIMPLE: Record<string, Field['kind']> = { string: 'text', number: 'number', integer: 'integer', boolean: 'boolean' }

/** The fields of a workflow's params: a map from name to schema; without a default a param is required. */
export function fieldsOfParams(params: Record<string, Schema> | null | undefined): Field[] {
  return Object.entries(params ?? {}).map(([name, schema]) => fieldOf(name, schema, !('default' in (schema ?? {}))))
}

/** The fields of a JSON Schema of an object; one JSON field if it is none. */
export function fieldsOf(schema: Schema): Field[] {
  const field = fieldOf('', schema, true)
  return field.kind === 'group' ? field.fields : [{ ...field, kind: 'json' }]
}

/** One field. Whatever this form has no input for becomes a JSON field, so no schema blocks a submit. */
export function fieldOf(name: string, schema: Schema | null | undefined, required: boolean): Field {
  const said = isMap(schema) ? schema : {}
  const { schema: plain, nullable } = withoutNull(said)
  const field: Field = {
    kind: 'json',
    name,
    title: textOf(said.title) ?? name,
    description: textOf(said.description),
    required,
    nullable,
    fallback: said.default,
    example: Array.isArray(said.examples) ? said.examples[0] : undefined,
    options: [],
    of: null,
    fields: [],
  }
  const options = optionsOf(plain)
  if (options) return { ...field, kind: 'choice', options }
  const type = typeof plain.type === 'string' ? plain.type : null
  if (type === 'string') return { ...field, kind: FORMATS[String(plain.format)] ?? (isLong(plain) ? 'long' : 'text') }
  if (type && SIMPLE[type]) return { ...field, kind: SIMPLE[type] }
  if (type === 'array' && isMap(plain.items)) return { ...field, kind: 'rows', of: fieldOf('', plain.items, true) }
  if (type === 'object' && isMap(plain.properties) && !isMap(plain.additionalProperties)) {
    const needed = new Set(Array.isArray(plain.required) ? plain.required : [])
    const fields = Object.entries(plain.properties).map(([key, part]) => fieldOf(key, isMap(part) ? part : null, needed.has(key)))
    return { ...field, kind: 'group', fields }
  }
  return field
}

function isLong(schema: Schema): boolean {
  return (typeof schema.maxLength === 'number' && schema.maxLength > 200) || schema.contentMediaType !== undefined
}

/** `{type: [x, null]}` and `anyOf [x, null]` as x. */
function withoutNull(schema: Schema): { schema: Schema; nullable: boolean } {
  if (Array.isArray(schema.type) && schema.type.includes('null')) {
    const rest = schema.type.filter((type) => type !== 'null')
    return { schema: rest.length === 1 ? { ...schema, type: rest[0]! } : { ...schema, type: rest }, nullable: true }
  }
  for (const word of ['anyOf', 'oneOf']) {
    const parts = schema[word]
    if (!Array.isArray(parts)) continue
    const rest = parts.filter((part) => !(isMap(part) && part.type === 'null'))
    if (rest.length < parts.length && rest.length === 1 && isMap(rest[0])) return { schema: rest[0], nullable: true }
  }
  return { schema, nullable: false }
}

/** The values of `enum`, `const` and of an `oneOf` or `anyOf` that consists of constants. */
function optionsOf(schema: Schema): Field['options'] | null {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => ({ value, label: labelOf(value) }))
  if ('const' in schema) return [{ value: schema.const!, label: textOf(schema.title) ?? labelOf(schema.const!) }]
  const parts = schema.oneOf ?? schema.anyOf
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every((part) => isMap(part) && 'const' in part)) return null
  return (parts as Schema[]).map((part) => ({ value: part.const!, label: textOf(part.title) ?? labelOf(part.const!) }))
}

const labelOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
const textOf = (value: Json | undefined): string | null => (typeof value === 'string' && value !== '' ? value : null)
export const isMap = (value: unknown): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether what was typed is an expression, which the server evaluates: it fits any field. */
export const isExpression = (text: Draft): text is string => typeof text === 'string' && /^\s*\{\{[\s\S]*\}\}\s*$/.test(text)

/** The draft that shows `value`; without a value an empty one (the server then takes the default). */
export function draftOf(field: Field, value: Json | undefined): Draft {
  if (typeof value === 'string' && isExpression(value)) return value
  switch (field.kind) {
    case 'group': {
      const parts = isMap(value) ? value : {}
      return Object.fromEntries(field.fields.map((part) => [part.name, draftOf(part, parts[part.name])]))
    }
    case 'rows':
      return Array.isArray(value) ? value.map((row) => draftOf(field.of!, row)) : []
    case 'json':
      return value === undefined ? '' : JSON.stringify(value, null, 2)
    case 'choice': {
      const at = field.options.findIndex((option) => same(option.value, value))
      return at === -1 ? '' : String(at)
    }
    default:
      return value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  }
}

/** The drafts of several fields from an object. */
export function draftsOf(fields: readonly Field[], values: Record<string, Json> | null | undefined): Record<string, Draft> {
  return Object.fromEntries(fields.map((field) => [field.name, draftOf(field, values?.[field.name])]))
}

const same = (one: Json | undefined, other: Json | undefined) => JSON.stringify(one) === JSON.stringify(other)

/** What was typed as JSON: fields left empty are left out. Faults are only of what cannot be read as JSON at all. */
export function valuesOf(
  fields: readonly Field[],
  drafts: Record<string, Draft>,
  w: Words,
): { values: { [name: string]: Json }; faults: FormFault[] } {
  const faults: FormFault[] = []
  const values: { [name: string]: Json } = {}
  for (const field of fields) {
    const value = read(field, drafts[field.name] ?? '', field.name, faults, w)
    if (value !== undefined) values[field.name] = value as Json
  }
  return { values, faults }
}

function read(field: Field, draft: Draft, path: string, faults: FormFault[], w: Words): Json | undefined {
  if (isExpression(draft)) return draft.trim()
  if (field.kind === 'group') return readGroup(field, draft, path, faults, w)
  if (field.kind === 'rows') return readRows(field, draft, path, faults, w)
  const text = String(draft)
  if (text.trim() === '') {
    if (field.required && field.fallback === undefined) {
      if (field.nullable) return null
      faults.push({ path, message: w.needed })
    }
    return undefined
  }
  return readSimple(field, text, path, faults, w)
}

function readGroup(field: Field, draft: Draft, path: string, faults: FormFault[], w: Words): Json | undefined {
  const parts = isMap(draft) ? (draft as unknown as Record<string, Draft>) : {}
  const inner: FormFault[] = []
  const value: { [name: string]: Json } = {}
  for (const part of field.fields) {
    const one = read(part, parts[part.name] ?? '', `${path}.${part.name}`, inner, w)
    if (one !== undefined) value[part.name] = one as Json
  }
  // An optional group of which nothing was typed is not there, whatever it would need.
  if (Object.keys(value).length === 0 && (!field.required || field.fallback !== undefined)) return undefined
  faults.push(...inner)
  return value
}

function readRows(field: Field, draft: Draft, path: string, faults: FormFault[], w: Words): Json | undefined {
  const rows = Array.isArray(draft) ? draft : []
  if (rows.length === 0 && (!field.required || field.fallback !== undefined)) return undefined
  return rows.flatMap((row, index) => {
    const one = read({ ...field.of!, required: true }, row, `${path}.${index}`, faults, w)
    return one === undefined ? [] : [one as Json]
  })
}

function readSimple(field: Field, text: string, path: string, faults: FormFault[], w: Words): Json | undefined {
  const no = (message: string) => {
    faults.push({ path, message })
    return undefined
  }
  switch (field.kind) {
    case 'choice':
      return field.options[Number(text)]?.value ?? null
    case 'boolean':
      return text === 'true'
    case 'integer':
      // Beyond 2^53 the number would be another one; as text it is kept, and the server says what it thinks.
      return /^\s*[+-]?\d+\s*$/.test(text) ? (Number.isSafeInteger(Number(text)) ? Number(text) : text.trim()) : no(w.noInteger)
    case 'number':
      return Number.isFinite(Number(text)) ? Number(text) : no(w.noNumber)
    case 'json':
      try {
        return JSON.parse(text) as Json
      } catch (error) {
        return no(w.noJson((error as Error).message))
      }
    default:
      return text
  }
}

/** The path of a field from where the server saw a fault: `params.symbols[2].name` → `symbols.2.name`. */
export function pathOf(where: string | null | undefined): string {
  return (where ?? '')
    .replace(/^(body\.)?params\.?/, '')
    .replace(/\[(\d+)\]/g, '.$1')
    .replace(/\["([^"]*)"\]/g, '.$1')
    .replace(/^\./, '')
}

/** What the server refuses, at the fields of a form. */
export const faultsOf = (error: ApiProblem | null): FormFault[] => (error?.errors ?? []).map(({ where, message }) => ({ path: pathOf(where), message }))

/** The faults at a field, and whether one is inside it. */
export function faultsAt(faults: readonly FormFault[], path: string): { here: FormFault[]; inside: boolean } {
  return {
    here: faults.filter((fault) => fault.path === path),
    inside: faults.some((fault) => fault.path.startsWith(`${path}.`)),
  }
}
