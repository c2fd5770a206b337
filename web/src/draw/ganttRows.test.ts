import type { TimelineRow } from '../api/types'
import { describe, expect, it } from 'vitest'
import { busySpans, densityPath, ganttRow, inOrder } from './ganttRows'
import { axis } from './time'

const START = Date.parse('2026-11-28T14:00:00Z')
const at = (s: number) => new Date(START + s * 1000).toISOString()

function row(more: Partial<TimelineRow>): TimelineRow {
  return {
    node: 0,
    key: 'load',
    kind: 'task',
    count: 1,
    ready_at: null,
    started_at: null,
    finished_at: null,
    bins: null,
    p50_s: null,
    p95_s: null,
    state: 'PENDING',
    critical: false,
    ...more,
  }
}

describe('ganttRow', () => {
  const hundred = axis(START, START + 100_000, 1000)

  it('draws how long it waited and how long it ran', () => {
    const drawn = ganttRow(row({ ready_at: at(10), started_at: at(30), finished_at: at(80) }), hundred, START)
    expect(drawn.waited).toEqual({ x: 100, width: 200 })
    expect(drawn.ran).toEqual({ x: 300, width: 500 })
    expect(drawn).toMatchObject({ ranMs: 50_000, waitedMs: 20_000, usual: null })
  })

  it('lets what runs end now, and what waits wait until now', () => {
    const now = START + 60_000
    expect(ganttRow(row({ started_at: at(50) }), hundred, now).ran).toEqual({ x: 500, width: 100 })
    expect(ganttRow(row({ ready_at: at(50) }), hundred, now)).toMatchObject({ waited: { x: 500, width: 100 }, ran: null })
  })

  it('shows a task of no length, and nothing of one that has not begun', () => {
    expect(ganttRow(row({ started_at: at(5), finished_at: at(5) }), hundred, START).ran).toEqual({ x: 50, width: 2 })
    expect(ganttRow(row({}), hundred, START)).toMatchObject({ waited: null, ran: null, usual: null, late: false })
  })

  it('compares with the usual time', () => {
    const usual = row({ started_at: at(0), finished_at: at(40), p50_s: 20, p95_s: 30 })
    expect(ganttRow(usual, hundred, START)).toMatchObject({ usual: { x: 0, width: 200 }, late: true })
    expect(ganttRow({ ...usual, p95_s: 60 }, hundred, START).late).toBe(false)
  })
})

it('counts what still runs as busy until now', () => {
  expect(busySpans([row({ started_at: at(1) }), row({})], START + 9_000)).toEqual([[START + 1_000, START + 9_000]])
})

describe('densityPath', () => {
  const four = axis(0, 400, 40)

  it('is one closed shape for each stretch in which something ran', () => {
    expect(densityPath([2, 4, 0, 1], 0, 400, four, 20)).toBe('M0 20V10H10V0H20V20ZM30 20V15H40V20Z')
  })

  it('is nothing where nothing ran', () => {
    expect(densityPath([0, 0], 0, 400, four, 20)).toBe('')
    expect(densityPath([], 0, 400, four, 20)).toBe('')
  })

  it('keeps one of thousands visible', () => {
    expect(densityPath([5400, 1], 0, 400, four, 20)).toContain('V18H40')
  })
})

it('orders by start, and by the workflow where nothing has begun', () => {
  const rows = [row({ node: 2 }), row({ node: 1 }), row({ node: 3, started_at: at(9) }), row({ node: 4, ready_at: at(3) })]
  expect(inOrder(rows).map((one) => one.node)).toEqual([4, 3, 1, 2])
})
