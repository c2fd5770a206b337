import { expect, it } from 'vitest'
import { staleUses, told } from './datasets'

it.each([
  [{ rows: 5412, market: 'CN', files: ['a'] }, 'rows 5,412 · market CN'],
  [{ files: ['a'] }, '{"files":["a"]}'],
  [1667, '1,667'],
  ['s3://bars', 's3://bars'],
  [[1, 2], '[1,2]'],
  [null, ''],
])('what %j tells', (metadata, expected) => {
  expect(told(metadata)).toBe(expected)
})

it.each([[0, '0'], [500, '500'], [501, '500+']])('%i stale uses are shown as %s', (uses, expected) => {
  expect(staleUses({ stale_uses: uses })).toBe(expected)
})
