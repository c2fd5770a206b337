// Forms of a task and of a workflow's head: from what the document says to what is typed, and back.
import { draftOf, isMap, valuesOf, type Draft, type Field, type FormFault, type Json } from '../../ui/schemaFields'
import type { Words } from '../../ui/formWords'
import { same, type Body } from './document'

/** Some fields under one title. */
export interface Part {
  name: string
  title: string
  fields: Field[]
  /** The key of the map that they stand in; without one, the body itself. */
  inside?: string
  /** One JSON field for whatever no other part has. */
  isRest?: boolean
}

/** What is typed, by part and field. */
export type Typed = Record<string, Record<string, Draft>>

export const REST = 'rest'

/** Keys that no part has and that are edited elsewhere. */
const mapOf = (value: Json | undefined): Body => (isMap(value) ? value : {})

function restOf(parts: readonly Part[], body: Body, elsewhere: readonly string[]): Body {
  const known = new Set([...elsewhere, ...parts.flatMap((part) => (part.isRest ? [] : part.inside !== undefined ? [part.inside] : part.fields.map((field) => field.name)))])
  return Object.fromEntries(Object.entries(body).filter(([name]) => !known.has(name)))
}

export function typedFrom(parts: readonly Part[], body: Body, elsewhere: readonly string[]): Typed {
  return Object.fromEntries(
    parts.map((part) => {
      if (part.isRest) {
        const rest = restOf(parts, body, elsewhere)
        return [part.name, { [REST]: Object.keys(rest).length > 0 ? JSON.stringify(rest, null, 2) : '' }]
      }
      const values = part.inside === undefined ? body : mapOf(body[part.inside])
      return [part.name, Object.fromEntries(part.fields.map((field) => [field.name, draftOf(field, values[field.name])]))]
    }),
  )
}

/**
 * The body with what was typed. A field that nobody has touched keeps its value, however it is written; one that was
 * emptied is gone. Faults are of what cannot be read: there the former value stays.
 */
export function bodyFrom(parts: readonly Part[], body: Body, typed: Typed, elsewhere: readonly string[], w: Words): { body: Body; faults: FormFault[] } {
  const before = typedFrom(parts, body, elsewhere)
  const faults: FormFault[] = []
  let made = body
  for (const part of parts) {
    const drafts = typed[part.name] ?? {}
    const old = before[part.name]!
    if (part.isRest) {
      if (!same(drafts, old)) made = withRest(parts, made, String(drafts[REST] ?? ''), elsewhere, faults, w)
      continue
    }
    const touched = part.fields.filter((field) => !same(drafts[field.name] ?? '', old[field.name]))
    if (touched.length === 0) continue
    const read = valuesOf(touched.map((field) => ({ ...field, required: false })), drafts, w)
    const bad = new Set(read.faults.map((fault) => fault.path.split('.')[0]))
    faults.push(...read.faults.map((fault) => ({ ...fault, path: part.inside === undefined ? fault.path : `${part.inside}.${fault.path}` })))
    const values = part.inside === undefined ? made : mapOf(made[part.inside])
    const next = changed(values, touched.filter((field) => !bad.has(field.name)).map((field) => field.name), read.values)
    made = part.inside === undefined ? next : withMap(made, part.inside, next)
  }
  return { body: made, faults }
}

function changed(values: Body, names: readonly string[], read: Body): Body {
  const kept = Object.entries(values).filter(([name]) => !names.includes(name) || name in read)
  const old = Object.fromEntries(kept.map(([name, value]) => [name, names.includes(name) ? read[name]! : value]))
  return { ...old, ...Object.fromEntries(names.filter((name) => name in read).map((name) => [name, read[name]!])) }
}

function withMap(body: Body, name: string, value: Body): Body {
  if (Object.keys(value).length > 0) return { ...body, [name]: value }
  const { [name]: _, ...rest } = body
  return rest
}

function withRest(parts: readonly Part[], body: Body, text: string, elsewhere: readonly string[], faults: FormFault[], w: Words): Body {
  const gone = new Set(Object.keys(restOf(parts, body, elsewhere)))
  const kept = Object.fromEntries(Object.entries(body).filter(([name]) => !gone.has(name)))
  if (text.trim() === '') return kept
  try {
    const value = JSON.parse(text) as Json
    if (isMap(value)) return { ...kept, ...Object.fromEntries(Object.entries(value).filter(([name]) => !(name in kept))) }
    faults.push({ path: REST, message: w.noJson('{…}') })
  } catch (error) {
    faults.push({ path: REST, message: w.noJson((error as Error).message) })
  }
  return body
}

/** Whether anything of a part is said: then it is shown unfolded. */
export const isUsed = (part: Part, typed: Typed): boolean => Object.values(typed[part.name] ?? {}).some((draft) => (typeof draft === 'string' ? draft !== '' : Object.keys(draft).length > 0))
