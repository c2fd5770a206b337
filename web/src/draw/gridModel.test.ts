import { expect, test } from 'vitest'
import type { GridData } from '../api/types'
import { begin, gridOf, walk } from './gridModel'

const column = (id: number, duration_s: number | null) => ({
  id, version: 1, state: 'SUCCESS', business_date: null, trigger_type: 'api', created_at: '', started_at: null, finished_at: null, duration_s,
})
const row = (node: number) => ({ node, key: `t${node}`, title: null, kind: 'task', depth: node })
const data: GridData = {
  rows: [row(4), row(2)],
  columns: [column(9, 5), column(8, 60), column(7, null)],
  cells: { 9: [[4, 'SUCCESS', null, null, '1'], [2, 'RUNNING']], 8: [[2, 'FAILED', 5400, 14, '2']], 7: [[4, 'SUCCESS'], [2, 'SUCCESS'], [99, 'SUCCESS']] },
  before: null,
}

test('The newest run stands on the right, and cells follow the rows in their order', () => {
  const grid = gridOf(data)
  expect(grid.columns.map((c) => c.id)).toEqual([7, 8, 9])
  expect(grid.cells[0]!.map((c) => c?.state ?? null)).toEqual(['SUCCESS', null, 'SUCCESS'])
  expect(grid.cells[1]![1]).toEqual({ state: 'FAILED', rows: 5400, failed: 14, taskId: '2' })
  expect(grid.longest).toBe(60)
})

test('A walk passes over tasks that a version does not have, and stops at the edge', () => {
  const grid = gridOf(data)
  expect(walk(grid, [0, 0], 'ArrowRight')).toEqual([0, 2])
  expect(walk(grid, [0, 2], 'ArrowRight')).toEqual([0, 2])
  expect(walk(grid, [0, 1], 'ArrowDown')).toEqual([1, 1])
  expect(walk(grid, [1, 2], 'Home')).toEqual([1, 0])
  expect(walk(grid, [1, 0], 'End')).toEqual([1, 2])
})

test('The walk begins at the newest failure', () => {
  expect(begin(gridOf(data))).toEqual([1, 1])
  expect(begin(gridOf({ ...data, cells: { 9: [[2, 'SUCCESS']] } }))).toEqual([1, 2])
})
