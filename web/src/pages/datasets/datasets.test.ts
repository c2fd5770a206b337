import { expect, it } from 'vitest'
import { told } from './datasets'

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
