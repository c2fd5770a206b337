// JSON Schema in a few words: `string`, `[Run]`, `{name: string, …}`; references are followed once.
export interface Schema {
  $ref?: string
  type?: string | string[]
  anyOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  items?: Schema | boolean
  prefixItems?: Schema[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  required?: string[]
  description?: string
  default?: unknown
  format?: string
  minimum?: number
  maximum?: number
}

export interface Operation {
  operationId: string
  summary?: string
  tags?: string[]
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema; description?: string }[]
  requestBody?: { content: Record<string, { schema?: Schema }> }
  responses: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>
  'x-role'?: string
  'x-does'?: string
}

export interface Document {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

const nameOf = (ref: string) => ref.split('/').pop() ?? ref

/** The type in one line. */
export function typeOf(schema: Schema | undefined): string {
  if (!schema) return 'any'
  if (schema.$ref) return nameOf(schema.$ref)
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' | ')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.type === 'array') return `[${schema.prefixItems ? schema.prefixItems.map(typeOf).join(', ') : typeof schema.items === 'object' ? typeOf(schema.items) : 'any'}]`
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') return `{…: ${typeOf(schema.additionalProperties)}}`
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : (schema.type ?? 'any')
  return schema.format ? `${type} (${schema.format})` : type
}

/** The fields of an object, a reference or the items of a list; empty for anything else. */
export function fieldsOf(schema: Schema | undefined, all: Record<string, Schema>, depth = 0): [string, Schema, boolean][] {
  if (!schema || depth > 4) return []
  if (schema.$ref) return fieldsOf(all[nameOf(schema.$ref)], all, depth + 1)
  if (schema.anyOf) return schema.anyOf.flatMap((one) => fieldsOf(one, all, depth + 1))
  if (schema.type === 'array' && typeof schema.items === 'object') return fieldsOf(schema.items, all, depth + 1)
  return Object.entries(schema.properties ?? {}).map(([name, field]) => [name, field, schema.required?.includes(name) ?? false])
}

/** An example of a body, as a place to begin. */
export function exampleOf(schema: Schema | undefined, all: Record<string, Schema>): unknown {
  return Object.fromEntries(fieldsOf(schema, all).filter(([, , required]) => required).map(([name, field]) => [name, sample(field)]))
}

function sample(field: Schema): unknown {
  const type = Array.isArray(field.type) ? field.type[0] : field.type
  if (field.default !== undefined) return field.default
  return { string: '…', integer: 0, number: 0, boolean: false, array: [], object: {} }[type ?? ''] ?? null
}
