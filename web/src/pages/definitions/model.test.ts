import { expect, it } from 'vitest'
import { expressionsOf, objectOf, rowsOf, schemasOf, textOf } from './model'

it('turns schemas into lines and back without losing what has no input', () => {
  const schemas = {
    market: { type: 'string', title: 'Market', default: '01', enum: ['01', '02'] },
    days: { type: 'integer', default: 5, minimum: 1 },
    either: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
    none: { type: ['string', 'null'], default: null },
    bare: {},
  }
  const rows = rowsOf(schemas)
  expect(rows.map(({ name, type, fallback }) => [name, type, fallback])).toEqual([['market', 'string', '01'], ['days', 'integer', '5'], ['either', '', ''], ['none', '', 'null'], ['bare', '', '']])
  expect(schemasOf(rows)).toEqual(schemas)
})

it('leaves out lines without a name, and names the param whose default is wrong', () => {
  expect(schemasOf([{ name: ' ', type: 'string', title: '', fallback: '', more: {} }])).toEqual({})
  expect(() => schemasOf([{ name: 'days', type: 'integer', title: '', fallback: 'five', more: {} }])).toThrow(/^days: /)
})

it('reads an object, and nothing else', () => {
  expect([objectOf(''), objectOf('{"retries": 3}'), textOf({}), textOf({ a: 1 })]).toEqual([{}, { retries: 3 }, '', '{\n  "a": 1\n}'])
  expect(() => objectOf('[1]')).toThrow()
  expect(() => objectOf('{')).toThrow()
})

it('finds what stands for something of a workflow', () => {
  expect(expressionsOf({ a: '{{ params.day }}', b: 'x', c: 3 })).toEqual(['a'])
})
