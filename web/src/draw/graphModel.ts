// A graph as the API answers it, and what is asked of it: shares of a bar, neighbours, where to look first.
import type { Box, GraphData } from '../api/types'
import { ORDER } from '../ui/states'

/** States by how much they need a person. */
export const WORST = [
  'FAILED',
  'RUNNING',
  'RESERVED',
  'HELD',
  'READY',
  'UPSTREAM_FAILED',
  'CANCELLED',
  'PENDING',
  'SKIPPED',
  'SUCCESS',
] as const

export interface Share {
  state: string
  count: number
  /** Per cent of the bar's width; every state that occurs has at least 2. */
  share: number
}

/** Counts as parts of a bar: true to scale, but one failure among thousands is seen. */
export function shares(counts: Record<string, number>): Share[] {
  const present = ORDER.filter((state) => (counts[state] ?? 0) > 0)
  const total = present.reduce((sum, state) => sum + counts[state]!, 0)
  if (total === 0) return []
  const least = 2
  const raw = present.map((state) => Math.max(least, (counts[state]! / total) * 100))
  const over = raw.reduce((sum, share) => sum + share, 0) - 100
  const large = raw.reduce((sum, share) => sum + Math.max(0, share - least), 0)
  return present.map((state, index) => ({
    state,
    count: counts[state]!,
    share: large > 0 ? raw[index]! - (over * Math.max(0, raw[index]! - least)) / large : 100 / present.length,
  }))
}

/** How many rows a box stands for. */
export function total(box: Box): number {
  const sum = Object.values(box.counts ?? {}).reduce((all, count) => all + count, 0)
  return Math.max(sum, box.fold?.count ?? 1)
}

/** Whether a box stands for more than one row. */
export function isMany(box: Box): boolean {
  return Boolean(box.fold) || box.kind === 'head' || total(box) > 1
}

/** The state that colours a box: its own, else the worst of its rows. */
export function stateOf(box: Box): string | null {
  if (box.counts) {
    const worst = WORST.find((state) => (box.counts![state] ?? 0) > 0)
    if (worst && (isMany(box) || !box.state)) return worst
  }
  return box.state ?? null
}

/** Where to look when the page opens: the first failure, else what runs, else the first box. */
export function firstOfInterest(boxes: readonly Box[]): Box | null {
  const inOrder = [...boxes].sort((a, b) => a.layer - b.layer || a.y - b.y)
  for (const wanted of ['FAILED', 'RUNNING']) {
    const found = inOrder.find((box) => stateOf(box) === wanted || (box.counts?.[wanted] ?? 0) > 0)
    if (found) return found
  }
  return inOrder[0] ?? null
}

/**
 * The box that an arrow key moves to: right and left along an edge (the neighbour that is nearest in height), up and
 * down within the layer. Boxes are named by their keys. Null where there is none.
 */
export function neighbour(data: GraphData, key: string, arrow: string): string | null {
  const at = data.boxes.find((box) => box.key === key)
  if (!at) return null
  const nearest = (boxes: Box[]) => boxes.sort((a, b) => Math.abs(a.y - at.y) - Math.abs(b.y - at.y) || a.y - b.y)[0]?.key ?? null
  const ends = (side: 'from' | 'to') => {
    const keys = new Set(data.edges.filter((edge) => edge[side === 'from' ? 'to' : 'from'] === key).map((edge) => edge[side]))
    return data.boxes.filter((box) => keys.has(box.key))
  }
  if (arrow === 'ArrowRight') return nearest(ends('to'))
  if (arrow === 'ArrowLeft') return nearest(ends('from'))
  const layer = data.boxes.filter((box) => box.layer === at.layer && box !== at)
  if (arrow === 'ArrowDown') return nearest(layer.filter((box) => box.y > at.y))
  if (arrow === 'ArrowUp') return nearest(layer.filter((box) => box.y < at.y))
  return null
}

/** A box and all that lie behind it along the edges, by their keys; null: a task that has no box of this graph. */
export function behind(data: GraphData, task: string): Set<string> | null {
  const first = data.boxes.find((box) => box.key === task || box.fold?.tasks.includes(task))
  if (!first) return null
  const next = new Map<string, string[]>()
  for (const { from, to } of data.edges) next.set(from, [...(next.get(from) ?? []), to])
  const found = new Set([first.key])
  for (const key of found) for (const to of next.get(key) ?? []) found.add(to)
  return found
}

/**
 * Where a drawing begins in a view so that a point of it stands in the middle: no further than leaves empty space beside
 * the drawing, and in the middle if all of it fits. Pixels of the view.
 */
export function startFor(point: number, size: number, view: number, zoom: number, margin = 32): number {
  const whole = size * zoom
  if (whole + 2 * margin <= view) return (view - whole) / 2
  return Math.max(view - whole - margin, Math.min(margin, view / 2 - point * zoom))
}

/** An SVG path through points with rounded corners of up to `radius` pixels. */
export function roundedPath(points: readonly (readonly [number, number])[], radius = 10): string {
  const [first, ...rest] = points
  if (!first) return ''
  let path = `M${first[0]} ${first[1]}`
  rest.forEach(([x, y], index) => {
    const after = rest[index + 1]
    const before = points[index]!
    if (!after) {
      path += `L${x} ${y}`
      return
    }
    const into = toward([x, y], before, radius)
    const out = toward([x, y], after, radius)
    path += `L${into[0]} ${into[1]}Q${x} ${y} ${out[0]} ${out[1]}`
  })
  return path
}

/** The point `by` pixels from `from` towards `to`, at most half the way. */
function toward(from: readonly [number, number], to: readonly [number, number], by: number): [number, number] {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1])
  const share = length === 0 ? 0 : Math.min(by, length / 2) / length
  return [round(from[0] + (to[0] - from[0]) * share), round(from[1] + (to[1] - from[1]) * share)]
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}
