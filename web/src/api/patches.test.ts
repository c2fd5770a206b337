import { describe, expect, it } from 'vitest'
import { ASK, patched } from './patches'

const told = (changed: number[] | null) => ({
  kind: 'delta' as const,
  topic: 'instance:7',
  data: {
    instance: { id: 7, state: 'RUNNING', progress: 0.5 },
    counts: { 0: { SUCCESS: 1 }, 1: { RUNNING: 2, SUCCESS: 1 } },
    nodes: { 1: { counts: { RUNNING: 2, SUCCESS: 1 }, state: 'RUNNING', task_id: '7340033', started_at: null, finished_at: null } },
    changed,
  },
})

describe('an event of a run', () => {
  it('changes its head and its boxes in place', () => {
    expect(patched('/instances/7', {}, { id: 7, state: 'READY', name: 'x', counts: {} }, told([1]))).toEqual({ id: 7, state: 'RUNNING', progress: 0.5, name: 'x', counts: { SUCCESS: 2, RUNNING: 2 } })
    const failed = (count: number) => patched('/instances/7', {}, { id: 7, counts: { FAILED: count }, first_failure: '7340032' }, { ...told([1]), data: { ...told([1]).data, counts: { 0: { FAILED: 2 } } } })
    expect(failed(2)).toMatchObject({ first_failure: '7340032' })
    expect(failed(1)).toMatchObject({ first_failure: undefined })
    const graph = { boxes: [{ node: 0, state: 'SUCCESS' }, { node: 1, state: 'READY' }], folded: false }
    expect(patched('/instances/7/graph', {}, graph, told([1]))).toMatchObject({ boxes: [{ node: 0, state: 'SUCCESS' }, { node: 1, state: 'RUNNING', counts: { RUNNING: 2, SUCCESS: 1 } }] })
    expect(patched('/instances/7/graph', {}, { ...graph, folded: true }, told([1]))).toBe(ASK)
  })

  it('has only those rows asked for again that have changed', () => {
    const page = { items: Array.from({ length: 200 }), next: null }
    const ask = (from: number, changed: number[] | null) => patched('/instances/7/tasks', { from, node: '' }, page, told(changed))
    expect(ask(0, [5])).toBe(ASK)
    expect(ask(200, [5])).toBe(page)
    expect(ask(200, null)).toBe(ASK)
    expect(ask(0, [])).toBe(page)
    const task = { task_id: '7340033' }
    expect(patched('/tasks/7340033', {}, task, told([1]))).toBe(ASK)
    expect(patched('/tasks/7340034', {}, task, told([1]))).toBe(task)
  })
})

describe('an event of the list of runs', () => {
  const list = (...ids: number[]) => ({ pages: [{ items: ids.map((id) => ({ id, state: 'RUNNING', progress: 0 })), next: null }], pageParams: [null] })
  const event = (id: number, state: string) => ({ kind: 'delta' as const, topic: 'instances', data: { items: [{ id, state, progress: 1, other: 1 }] } })
  it('changes rows that are shown', () => {
    expect(patched('/instances', { limit: 100 }, list(2, 1), event(1, 'SUCCESS'))).toMatchObject({ pages: [{ items: [{ id: 2, state: 'RUNNING' }, { id: 1, state: 'SUCCESS', progress: 1 }] }] })
  })
  it('has the list asked for again where rows come or go', () => {
    expect(patched('/instances', { limit: 100 }, list(2, 1), event(3, 'RUNNING'))).toBe(ASK)
    expect(patched('/instances', { limit: 100, state: 'RUNNING' }, list(2, 1), event(1, 'SUCCESS'))).toBe(ASK)
  })
})

it('a snapshot may tell what came after the answer, so what it does not bring is asked for again', () => {
  const snapshot = (topic: string, data: Record<string, unknown>) => ({ kind: 'snapshot' as const, topic, data })
  const rows = snapshot('instances', { items: { 1: { id: 1, state: 'SUCCESS' } } })
  expect(patched('/batches/5', {}, { state: 'RUNNING' }, snapshot('batch:5', { batch: { state: 'DONE' } }))).toBe(ASK)
  expect(patched('/failures', { group: 1 }, { pages: [] }, snapshot('overview', { overview: { failing: [] } }))).toBe(ASK)
  expect(patched('/workflows/a/grid', {}, {}, rows)).toBe(ASK)
  expect(patched('/instances', { state: 'FAILED' }, { pages: [{ items: [], next: null }] }, rows)).toBe(ASK)
})

it('the first page takes the fields that have changed', () => {
  const event = { kind: 'delta' as const, topic: 'overview', data: { overview: { states: { FAILED: 1 }, now: 'b' } } }
  expect(patched('/overview', {}, { states: {}, fires: [1], now: 'a' }, event)).toEqual({ states: { FAILED: 1 }, fires: [1], now: 'b' })
})
