// From the timeline of an instance to bars: what is drawn where in a row of the Gantt chart. No drawing here.
import type { TimelineRow } from '../api/types'
import { type Axis, xOf } from './time'

export interface Bar {
  x: number
  width: number
}

export interface GanttRow {
  row: TimelineRow
  /** From ready to start: it waited. */
  waited: Bar | null
  /** From start to end, or to now. */
  ran: Bar | null
  /** The usual time (p50) from where it started, or would. */
  usual: Bar | null
  /** Milliseconds that it ran (so far), null where it has not started. */
  ranMs: number | null
  waitedMs: number | null
  /** Longer than 95 of 100 runs before it. */
  late: boolean
}

/** An instant of the API as milliseconds; null stays null. */
export function instant(text: string | null | undefined): number | null {
  return text ? Date.parse(text) : null
}

/** A bar is at least this wide, so that a task of a millisecond is seen. */
const THINNEST = 2

function bar(axis: Axis, from: number | null, to: number | null): Bar | null {
  if (from === null || to === null || to < from) return null
  const x = xOf(axis, from)
  return { x, width: Math.max(THINNEST, xOf(axis, to) - x) }
}

/** What is drawn of a row; `now` ends what still runs. */
export function ganttRow(row: TimelineRow, axis: Axis, now: number): GanttRow {
  const ready = instant(row.ready_at)
  const started = instant(row.started_at)
  const ended = instant(row.finished_at)
  const end = started === null ? null : (ended ?? now)
  const ranMs = started === null || end === null ? null : Math.max(0, end - started)
  const waitEnd = started ?? (ended === null ? now : ended)
  const usualFrom = started ?? ready
  const waitedMs = ready === null ? null : Math.max(0, waitEnd - ready)
  return {
    row,
    waited: waitedMs !== null && waitedMs > 50 ? bar(axis, ready, waitEnd) : null,
    ran: bar(axis, started, end),
    usual: row.p50_s !== null && usualFrom !== null ? bar(axis, usualFrom, usualFrom + row.p50_s * 1000) : null,
    ranMs,
    waitedMs,
    late: ranMs !== null && row.p95_s !== null && ranMs > row.p95_s * 1000 * 1.05 && ranMs > 1000,
  }
}

/** When something of the rows was ready, ran or waited: what is not in here is idle. */
export function busySpans(rows: readonly TimelineRow[], now: number): [number, number][] {
  const spans: [number, number][] = []
  for (const row of rows) {
    const started = instant(row.started_at)
    if (started !== null) spans.push([started, instant(row.finished_at) ?? now])
  }
  return spans
}

/** An SVG path of how many items ran over time: steps from the foot of a strip `height` pixels high. */
export function densityPath(bins: readonly number[], from: number, to: number, axis: Axis, height: number): string {
  const most = Math.max(1, ...bins)
  const each = (to - from) / Math.max(1, bins.length)
  const parts: string[] = []
  let open = false
  bins.forEach((count, index) => {
    const x0 = round(xOf(axis, from + index * each))
    const x1 = round(xOf(axis, from + (index + 1) * each))
    if (count <= 0) {
      if (open) parts.push(`V${height}Z`)
      open = false
      return
    }
    // One of thousands is still seen: at least two pixels.
    const y = round(height - Math.max(2, (count / most) * height))
    parts.push(open ? `V${y}H${x1}` : `M${x0} ${height}V${y}H${x1}`)
    open = true
  })
  if (open) parts.push(`V${height}Z`)
  return parts.join('')
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}

/** Rows in the order of a Gantt chart: by start, what has not started last, in the order of the workflow. */
export function inOrder(rows: readonly TimelineRow[]): TimelineRow[] {
  const key = (row: TimelineRow) => instant(row.started_at) ?? instant(row.ready_at) ?? Number.MAX_SAFE_INTEGER
  return [...rows].sort((a, b) => key(a) - key(b) || a.node - b.node)
}
