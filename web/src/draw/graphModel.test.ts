import type { Box, GraphData } from '../api/types'
import { describe, expect, it } from 'vitest'
import { behind, firstOfInterest, isMany, neighbour, roundedPath, shares, startFor, stateOf } from './graphModel'

function box(node: number, more: Partial<Box> = {}): Box {
  return {
    node,
    key: `t${node}`,
    title: null,
    job: 'j',
    kind: 'task',
    layer: 0,
    x: 0,
    y: node * 80,
    width: 200,
    height: 56,
    ...more,
  }
}

describe('shares', () => {
  it('are true to scale where all are large', () => {
    expect(shares({ SUCCESS: 75, PENDING: 25 }).map(({ state, share }) => [state, share])).toEqual([
      ['SUCCESS', 75],
      ['PENDING', 25],
    ])
  })

  it('keep fourteen failures among 5,400 visible, and add up to the bar', () => {
    const found = shares({ SUCCESS: 5312, FAILED: 14, RUNNING: 74 })
    expect(found.find(({ state }) => state === 'FAILED')!.share).toBe(2)
    expect(found.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(100)
    expect(found.map(({ state }) => state)).toEqual(['SUCCESS', 'FAILED', 'RUNNING'])
  })

  it('are none of nothing', () => {
    expect(shares({})).toEqual([])
    expect(shares({ SUCCESS: 0 })).toEqual([])
  })
})

describe('a box', () => {
  it('has the state of its task, and that of its worst item if it is a map', () => {
    expect(stateOf(box(1, { state: 'SUCCESS', counts: { SUCCESS: 1 } }))).toBe('SUCCESS')
    expect(stateOf(box(1, { kind: 'head', state: 'PENDING', counts: { SUCCESS: 10, FAILED: 1, RUNNING: 2 } }))).toBe('FAILED')
    expect(stateOf(box(1))).toBeNull()
  })

  it('is one of many if it is a map or a fold', () => {
    expect(isMany(box(1))).toBe(false)
    expect(isMany(box(1, { fold: { count: 12, tasks: [] } }))).toBe(true)
    expect(isMany(box(1, { counts: { PENDING: 3 } }))).toBe(true)
  })
})

it('looks first at the first failure, then at what runs, then at the beginning', () => {
  const boxes = [box(0, { layer: 1, state: 'FAILED' }), box(1, { state: 'RUNNING' }), box(2, { layer: 2, state: 'FAILED' })]
  expect(firstOfInterest(boxes)!.node).toBe(0)
  expect(firstOfInterest(boxes.slice(1, 2))!.node).toBe(1)
  expect(firstOfInterest([box(5, { layer: 2 }), box(6)])!.node).toBe(6)
  expect(firstOfInterest([])).toBeNull()
})

describe('arrow keys', () => {
  const data: GraphData = {
    boxes: [box(0, { y: 100 }), box(1, { layer: 1, y: 0 }), box(2, { layer: 1, y: 120 }), box(3, { layer: 2, y: 0 })],
    edges: [
      { from: 't0', to: 't1', condition: null, points: [] },
      { from: 't0', to: 't2', condition: null, points: [] },
      { from: 't1', to: 't3', condition: null, points: [] },
    ],
    width: 0,
    height: 0,
    folded: false,
  }

  it('walk along edges and within a layer', () => {
    expect(neighbour(data, 't0', 'ArrowRight')).toBe('t2')
    expect(neighbour(data, 't2', 'ArrowUp')).toBe('t1')
    expect(neighbour(data, 't1', 'ArrowDown')).toBe('t2')
    expect(neighbour(data, 't3', 'ArrowLeft')).toBe('t1')
  })

  it('stay where nothing is', () => {
    expect(neighbour(data, 't3', 'ArrowRight')).toBeNull()
    expect(neighbour(data, 't1', 'ArrowUp')).toBeNull()
    expect(neighbour(data, 't99', 'ArrowUp')).toBeNull()
  })
})

it('shows a place without empty space beside the drawing', () => {
  expect(startFor(100, 400, 1000, 1)).toBe(300)
  expect(startFor(100, 4000, 1000, 1)).toBe(32)
  expect(startFor(2000, 4000, 1000, 1)).toBe(-1500)
  expect(startFor(3990, 4000, 1000, 1)).toBe(-3032)
  expect(startFor(3990, 4000, 1000, 0.5)).toBe(-1032)
})

it('rounds the corners of an edge and keeps its ends', () => {
  expect(
    roundedPath([
      [0, 0],
      [100, 0],
    ]),
  ).toBe('M0 0L100 0')
  expect(
    roundedPath(
      [
        [0, 0],
        [100, 0],
        [100, 100],
      ],
      10,
    ),
  ).toBe('M0 0L90 0Q100 0 100 10L100 100')
  expect(roundedPath([])).toBe('')
})

describe('what lies behind a task', () => {
  const edge = (from: string, to: string) => ({ from, to, condition: null, points: [] as [number, number][] })
  const data: GraphData = { boxes: [box(0), box(1), box(2), box(3, { fold: { count: 2, tasks: ['a', 'b'] } })], edges: [edge('t0', 't1'), edge('t1', 't3'), edge('t2', 't3')], width: 0, height: 0, folded: true }
  it('is found along the edges, itself among it', () => {
    expect([...behind(data, 't0')!]).toEqual(['t0', 't1', 't3'])
    expect([...behind(data, 't3')!]).toEqual(['t3'])
  })
  it('is found from within a fold, and nothing is behind a task that is not there', () => {
    expect([...behind(data, 'b')!]).toEqual(['t3'])
    expect(behind(data, 'x')).toBeNull()
  })
})
