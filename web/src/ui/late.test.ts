import { expect, test } from 'vitest'
import { Late, OVERLAP_MS } from './late'

test('a line is looked for again as long as others may come before it', () => {
  const late = new Late()
  expect(late.from(7, 0)).toBe(7)
  late.note(5, 9, 1_000)
  expect(late.from(9, 1_000 + OVERLAP_MS - 1)).toBe(4)
  late.note(5, 12, 2_000)
  expect(late.from(12, 1_000 + OVERLAP_MS)).toBe(9)
  late.note(12, 12, 2_500)
  expect(late.from(12, 2_000 + OVERLAP_MS)).toBe(12)
  expect(late.from(12, 1e9)).toBe(12)
})
