import type { LineItem } from '../api/types'
import { describe, expect, it } from 'vitest'
import { hits, isPlain, LogRows, merged, nextLine, toneOf } from './logRows'

function line(id: number, message: string, more: Partial<LineItem> = {}): LineItem {
  return {
    id,
    task_id: '44040193',
    task: 'load',
    map_index: null,
    label: null,
    attempt: 1,
    at: `2026-11-28T14:03:05.${String(id).padStart(6, '0')}Z`,
    stream: 'stdout',
    level: null,
    logger: null,
    message,
    attributes: null,
    ...more,
  }
}

describe('LogRows', () => {
  it('counts wrapped lines, lines of one record and Chinese text', () => {
    const rows = new LogRows([line(1, 'short'), line(2, 'x'.repeat(25)), line(3, 'a\nb\nc'), line(4, '价'.repeat(11))], 10)
    expect(rows.count).toBe(1 + 3 + 3 + 3)
    expect(rows.slice(0, rows.count).map((row) => row.text.length)).toEqual([5, 10, 10, 5, 1, 1, 1, 5, 5, 1])
  })

  it('finds the line of a row and the row of a line', () => {
    const rows = new LogRows([line(1, 'a\nb'), line(2, 'c'), line(3, 'd\ne\nf')], 80)
    expect([0, 1, 2, 3, 4, 5].map((row) => rows.lineAt(row))).toEqual([0, 0, 1, 2, 2, 2])
    expect([0, 1, 2].map((index) => rows.rowOf(index))).toEqual([0, 2, 3])
    expect(rows.slice(1, 4).map((row) => [row.text, row.first])).toEqual([
      ['b', false],
      ['c', true],
      ['d', true],
    ])
  })

  it('reaches the end of twenty thousand lines', () => {
    const rows = new LogRows(
      Array.from({ length: 20_000 }, (_, id) => line(id, `row ${id}`)),
      80,
    )
    expect(rows.count).toBe(20_000)
    expect(rows.slice(19_998, 20_000).map((row) => row.text)).toEqual(['row 19998', 'row 19999'])
  })

  it('cuts a very long line until all of it is asked for', () => {
    const long = line(1, 'x'.repeat(10_000))
    expect(new LogRows([long], 1024).slice(0, 99).at(-1)!.hidden).toBe(10_000 - 4_096)
    expect(new LogRows([long], 1024, new Set([1])).count).toBe(10)
  })

  it('shows what a structured line carries', () => {
    const rows = new LogRows([line(1, 'stored', { attributes: { rows: 5, symbol: '600519' } })], 0)
    expect(rows.slice(0, 1)[0]!.text).toBe('stored  rows=5 symbol=600519')
  })

  it('leaves out colours of a terminal', () => {
    expect(new LogRows([line(1, '\x1b[31mred\x1b[0m')], 80).slice(0, 1)[0]!.text).toBe('red')
  })

  it('has no rows without lines', () => {
    expect(new LogRows([], 80).count).toBe(0)
    expect(new LogRows([], 80).slice(0, 10)).toEqual([])
  })
})

it('is one plain text up to 5,000 lines and 1 MB', () => {
  const lines = (count: number, size: number) => Array.from({ length: count }, (_, id) => line(id, 'x'.repeat(size)))
  expect(isPlain(lines(5_000, 100))).toBe(true)
  expect(isPlain(lines(5_001, 1))).toBe(false)
  expect(isPlain(lines(1_001, 1_000))).toBe(false)
})

it('finds hits without regard to case, and none for nothing', () => {
  expect(hits('Error: no error', 'error')).toEqual([
    [0, 5],
    [10, 15],
  ])
  expect(hits('text', '')).toEqual([])
})

it('goes to the next error and around the end', () => {
  const lines = [line(1, 'a'), line(2, 'b', { level: 'ERROR' }), line(3, 'c'), line(4, 'd', { level: 'error' })]
  const severe = (one: LineItem) => toneOf(one) === 'error'
  expect(nextLine(lines, 1, 1, severe)).toBe(3)
  expect(nextLine(lines, 3, 1, severe)).toBe(1)
  expect(nextLine(lines, 1, -1, severe)).toBe(3)
  expect(nextLine(lines.slice(2, 3), 0, 1, severe)).toBe(-1)
})

it('puts pages together in order of time and id, each line once', () => {
  const [a, b, c] = [line(1, 'a'), line(2, 'b'), line(3, 'c')]
  expect(merged([b!, c!], [a!, b!]).map((one) => one.id)).toEqual([1, 2, 3])
})
