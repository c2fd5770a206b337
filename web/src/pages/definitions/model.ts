// Task types and task definitions as the API answers them, and what a form makes of them. Pure.
import type { Json, Schema } from '../../ui/schemaFields'
import { isExpression } from '../../ui/schemaFields'

export type Kind = 'type' | 'definition'

interface Stored {
  title: string
  job: string | null
  settings: Record<string, Json>
  hash: string
  source: string
  file: string | null
  error: string | null
  note: string | null
  updated_by: string | null
  updated_at: string
  archived_at: string | null
}

export interface TaskTypeItem extends Stored {
  type: string
  params_schema: Record<string, Schema>
  defaults: Record<string, Json>
}

export interface TaskDefinitionItem extends Stored {
  key: string
  type: string | null
  params: Record<string, Json>
}

export interface TaskTypeDetail extends TaskTypeItem {
  definitions: string[]
  workflows: string[]
}

export interface TaskDefinitionDetail extends TaskDefinitionItem {
  workflows: string[]
}

export interface DefinitionParams {
  key: string
  values: Record<string, Json>
  json_schema: Schema | null
}

export type Any = TaskTypeItem | TaskDefinitionItem
export const PATHS: Record<Kind, string> = { type: '/task-types', definition: '/task-definitions' }
export const PAGES: Record<Kind, string> = { type: '/types', definition: '/definitions' }
export const nameOf = (kind: Kind, one: Any): string => (kind === 'type' ? (one as TaskTypeItem).type : (one as TaskDefinitionItem).key)
export const pathOf = (kind: Kind, name: string) => `${PATHS[kind]}/${encodeURIComponent(name)}`

/** A param of a type as a line of the form; `more` is what of its schema has no input. */
export interface ParamRow {
  name: string
  type: string
  title: string
  fallback: string
  more: Schema
}

export const SIMPLE = ['string', 'integer', 'number', 'boolean', 'array', 'object'] as const

export function rowsOf(schemas: Record<string, Schema>): ParamRow[] {
  return Object.entries(schemas).map(([name, schema]) => {
    const { type, title, default: fallback, ...more } = schema
    const plain = typeof type === 'string' ? type : ''
    return {
      name,
      type: plain,
      title: typeof title === 'string' ? title : '',
      fallback: fallback === undefined ? '' : written(fallback, plain),
      more: plain === '' && type !== undefined ? { type, ...more } : more,
    }
  })
}

const written = (value: Json, type: string) => (typeof value === 'string' && type === 'string' ? value : JSON.stringify(value))

/** The schemas that the lines stand for. Raises: an `Error` that names the param whose default is no JSON. */
export function schemasOf(rows: ParamRow[]): Record<string, Schema> {
  const found: Record<string, Schema> = {}
  for (const row of rows) {
    const name = row.name.trim()
    if (name === '') continue
    const schema: Schema = { ...(row.type && { type: row.type }), ...(row.title.trim() && { title: row.title.trim() }), ...row.more }
    if (row.fallback !== '') schema.default = row.type === 'string' ? row.fallback : parsed(name, row.fallback)
    found[name] = schema
  }
  return found
}

function parsed(name: string, text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`)
  }
}

/** JSON of an object that was typed; nothing typed is an empty one. Raises: an `Error` that says what is wrong. */
export function objectOf(text: string): Record<string, Json> {
  const value = JSON.parse(text.trim() || '{}') as Json
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('{ … }')
  return value
}

export const textOf = (value: Record<string, unknown>) => (Object.keys(value).length === 0 ? '' : JSON.stringify(value, null, 2))

/** Names of params whose values stand for something of the workflow that uses them, so not by themselves. */
export const expressionsOf = (values: Record<string, Json>): string[] =>
  Object.entries(values).filter(([, value]) => typeof value === 'string' && isExpression(value)).map(([name]) => name)
