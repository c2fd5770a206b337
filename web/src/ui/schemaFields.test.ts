import { describe, expect, it } from 'vitest'
import { en } from './formWords'
import {
  draftOf,
  draftsOf,
  faultsAt,
  fieldOf,
  fieldsOf,
  fieldsOfParams,
  isExpression,
  pathOf,
  valuesOf,
  type Schema,
} from './schemaFields'

const kindOf = (schema: Schema) => fieldOf('x', schema, false).kind
const values = (params: Record<string, Schema>, drafts: Parameters<typeof valuesOf>[1]) =>
  valuesOf(fieldsOfParams(params), drafts, en)

describe('fields', () => {
  it('have an input each', () => {
    expect(kindOf({ type: 'string' })).toBe('text')
    expect(kindOf({ type: 'string', format: 'date' })).toBe('date')
    expect(kindOf({ type: 'string', format: 'date-time' })).toBe('datetime')
    expect(kindOf({ type: 'string', format: 'uuid' })).toBe('text')
    expect(kindOf({ type: 'integer' })).toBe('integer')
    expect(kindOf({ type: 'boolean' })).toBe('boolean')
    expect(kindOf({ enum: ['a', 1, null] })).toBe('choice')
    expect(kindOf({ const: 'a' })).toBe('choice')
    expect(kindOf({ oneOf: [{ const: 1, title: 'one' }, { const: 2 }] })).toBe('choice')
    expect(kindOf({ type: 'array', items: { type: 'string' } })).toBe('rows')
    expect(kindOf({ type: 'object', properties: { a: { type: 'string' } } })).toBe('group')
  })

  it('fall back to JSON for everything else, so no schema blocks a submit', () => {
    for (const schema of [
      {},
      { type: 'object' },
      { type: ['string', 'number'] },
      { anyOf: [{ type: 'string' }, { type: 'array' }] },
      { $ref: '#/x' },
      { type: 'array' },
      { type: 'object', properties: {}, additionalProperties: { type: 'number' } },
    ]) {
      expect(kindOf(schema as Schema)).toBe('json')
    }
    expect(fieldOf('x', true as unknown as Schema, false).kind).toBe('json')
    expect(fieldsOf({ type: 'string' })[0]!.kind).toBe('json')
  })

  it('know null in both spellings', () => {
    expect(fieldOf('x', { type: ['integer', 'null'] }, true)).toMatchObject({ kind: 'integer', nullable: true })
    expect(fieldOf('x', { anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] }, true)).toMatchObject({
      kind: 'date',
      nullable: true,
    })
  })

  it('are required where a workflow has no default for them', () => {
    const [day, full] = fieldsOfParams({ day: { type: 'string' }, full: { type: 'boolean', default: false } })
    expect([day!.required, full!.required, full!.fallback]).toEqual([true, false, false])
  })
})

describe('values', () => {
  it('are what was typed, of the types of the schema', () => {
    const params: Record<string, Schema> = {
      day: { type: 'string', format: 'date' },
      n: { type: 'integer' },
      x: { type: 'number' },
      full: { type: 'boolean' },
      market: { enum: ['XSHG', 'XHKG'] },
      symbols: { type: 'array', items: { type: 'string' } },
      extra: {},
    }
    const drafts = {
      day: '2026-11-28',
      n: ' 5 ',
      x: '1e-3',
      full: 'false',
      market: '1',
      symbols: ['600519', 'IBM'],
      extra: '{"a": [1]}',
    }
    expect(values(params, drafts)).toEqual({
      values: { day: '2026-11-28', n: 5, x: 0.001, full: false, market: 'XHKG', symbols: ['600519', 'IBM'], extra: { a: [1] } },
      faults: [],
    })
  })

  it('leave out what is empty, and say what is needed', () => {
    expect(values({ a: { type: 'string', default: 'x' }, b: { type: 'string' } }, { a: '', b: ' ' })).toEqual({
      values: {},
      faults: [{ path: 'b', message: 'is needed' }],
    })
    expect(values({ a: { type: ['string', 'null'] } }, { a: '' })).toEqual({ values: { a: null }, faults: [] })
  })

  it('are refused where they cannot be read at all', () => {
    const { faults } = values({ n: { type: 'integer' }, x: { type: 'number' }, j: {} }, { n: '1.5', x: 'much', j: '{' })
    expect(faults.map((fault) => fault.path)).toEqual(['n', 'x', 'j'])
  })

  it('keep a number that JavaScript would change, as text', () => {
    expect(values({ n: { type: 'integer' } }, { n: '12345678901234567890' }).values).toEqual({ n: '12345678901234567890' })
  })

  it('let an expression stand in any field', () => {
    expect(
      values({ n: { type: 'integer' }, rows: { type: 'array', items: {} } }, { n: '{{ params.k }}', rows: '{{ a.output }}' })
        .values,
    ).toEqual({
      n: '{{ params.k }}',
      rows: '{{ a.output }}',
    })
    expect(isExpression('a {{ b }}')).toBe(false)
  })

  it('find the faults of a group inside a list', () => {
    const params: Record<string, Schema> = {
      legs: {
        type: 'array',
        items: { type: 'object', required: ['size'], properties: { size: { type: 'integer' }, note: { type: 'string' } } },
      },
    }
    const read = values(params, {
      legs: [
        { size: '1', note: '' },
        { size: 'x', note: 'n' },
      ],
    })
    expect(read.values).toEqual({ legs: [{ size: 1 }, { note: 'n' }] })
    expect(read.faults).toEqual([{ path: 'legs.1.size', message: 'is not a whole number' }])
    expect(faultsAt(read.faults, 'legs')).toEqual({ here: [], inside: true })
  })

  it('leave out an optional group of which nothing was typed', () => {
    const params: Record<string, Schema> = {
      g: { type: 'object', default: {}, required: ['a'], properties: { a: { type: 'string' } } },
    }
    expect(values(params, { g: { a: '' } })).toEqual({ values: {}, faults: [] })
  })

  it('come back as they went, so a form can be filled in from an earlier run', () => {
    const params: Record<string, Schema> = {
      day: { type: 'string' },
      n: { type: ['integer', 'null'] },
      m: { enum: ['a', 2] },
      r: { type: 'array', items: { type: 'number' } },
      g: { type: 'object', properties: { b: { type: 'boolean' } } },
      j: {},
    }
    const before = { day: 'x', n: 3, m: 2, r: [1, 2.5], g: { b: true }, j: { any: [null] } }
    const fields = fieldsOfParams(params)
    expect(valuesOf(fields, draftsOf(fields, before), en)).toEqual({ values: before, faults: [] })
    expect(draftOf(fields[3]!, undefined)).toEqual([])
  })
})

it("finds the field of a server's fault", () => {
  expect(pathOf('params.symbols[2].name')).toBe('symbols.2.name')
  expect(pathOf('body.params["odd key"]')).toBe('odd key')
  expect(pathOf(null)).toBe('')
})
