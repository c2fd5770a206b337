// A time axis: where an instant stands, which idle stretches are folded away, and what its ticks say. Milliseconds.

/** A stretch of the axis: from instant `from` at pixel `x0` to instant `to` at `x1`. */
export interface Piece {
  from: number
  to: number
  x0: number
  x1: number
  folded: boolean
}

export interface Axis {
  pieces: readonly Piece[]
  width: number
}

/** A folded stretch is drawn this wide. */
export const FOLD_PX = 28
/** A stretch is folded if it is longer than this, and than `FOLD_SHARE` of all. */
export const FOLD_LEAST_MS = 60_000
export const FOLD_SHARE = 0.12

/** The parts of [from, to] in which none of the spans lies, in order. */
export function gaps(spans: readonly (readonly [number, number])[], from: number, to: number): [number, number][] {
  const sorted = spans.filter(([a, b]) => b >= from && a <= to).sort((a, b) => a[0] - b[0])
  const found: [number, number][] = []
  let at = from
  for (const [start, end] of sorted) {
    if (start > at) found.push([at, start])
    at = Math.max(at, end)
  }
  if (at < to) found.push([at, to])
  return found
}

/** An axis from `from` to `to` in `width` pixels on which the given stretches are narrow. */
export function axis(from: number, to: number, width: number, folds: readonly (readonly [number, number])[] = []): Axis {
  const end = Math.max(to, from + 1)
  const inside = folds.filter(([a, b]) => a < end && b > from).map(([a, b]) => [Math.max(a, from), Math.min(b, end)] as const)
  const foldedMs = inside.reduce((sum, [a, b]) => sum + b - a, 0)
  const openPx = Math.max(1, width - inside.length * FOLD_PX)
  const perMs = openPx / Math.max(1, end - from - foldedMs)
  const pieces: Piece[] = []
  let x = 0
  let at = from
  const push = (until: number, folded: boolean) => {
    if (until <= at) return
    const wide = folded ? FOLD_PX : (until - at) * perMs
    pieces.push({ from: at, to: until, x0: x, x1: x + wide, folded })
    x += wide
    at = until
  }
  for (const [a, b] of inside) {
    push(a, false)
    push(b, true)
  }
  push(end, false)
  return { pieces, width }
}

/** The stretches that are long enough to be folded: a little of each stays on both sides. */
export function foldable(spans: readonly (readonly [number, number])[], from: number, to: number): [number, number][] {
  const least = Math.max(FOLD_LEAST_MS, (to - from) * FOLD_SHARE)
  return gaps(spans, from, to)
    .filter(([a, b]) => b - a > least)
    .map(([a, b]) => {
      const rim = (b - a) * 0.04
      return [a + rim, b - rim]
    })
}

/** The pixel of an instant; outside of the axis it is the nearest end. */
export function xOf({ pieces, width }: Axis, at: number): number {
  const first = pieces[0]
  if (!first || at <= first.from) return 0
  for (const piece of pieces) {
    if (at <= piece.to) return piece.x0 + ((at - piece.from) / (piece.to - piece.from)) * (piece.x1 - piece.x0)
  }
  return width
}

/** The instant at a pixel. */
export function timeAt({ pieces }: Axis, x: number): number {
  const last = pieces.at(-1)
  if (!last) return 0
  const piece = pieces.find((one) => x <= one.x1) ?? last
  const share = Math.min(1, Math.max(0, (x - piece.x0) / Math.max(1e-9, piece.x1 - piece.x0)))
  return piece.from + share * (piece.to - piece.from)
}

/** A view `[from, to]` enlarged by `factor` (> 1 is closer) around `centre`, kept within `bounds`. At least 100 ms. */
export function zoomed(
  [from, to]: readonly [number, number],
  factor: number,
  centre: number,
  [least, most]: readonly [number, number],
): [number, number] {
  const size = Math.min(most - least, Math.max(100, (to - from) / factor))
  const share = (centre - from) / Math.max(1, to - from)
  return panned([centre - size * share, centre - size * share + size], 0, [least, most])
}

/** A view moved by `by` ms, kept within `bounds`. */
export function panned(
  [from, to]: readonly [number, number],
  by: number,
  [least, most]: readonly [number, number],
): [number, number] {
  const size = to - from
  const start = Math.min(Math.max(least, from + by), Math.max(least, most - size))
  return [start, Math.min(most, start + size)]
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STEPS = [
  10,
  20,
  50,
  100,
  200,
  500,
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
]

/** The smallest usual step of which at most one stands in `leastPx` pixels. */
export function stepFor(msPerPx: number, leastPx = 88): number {
  return STEPS.find((step) => step >= msPerPx * leastPx) ?? 7 * DAY
}

/** Milliseconds that local time in `zone` is ahead of UTC at an instant. */
export function offsetOf(zone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value)
  const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return local - Math.floor(at / SECOND) * SECOND
}

export interface Tick {
  at: number
  x: number
  /** The day begins here in the zone. */
  day: boolean
}

/** Ticks on full steps of local time in `zone`; none within a folded stretch. */
export function ticks(of: Axis, zone: string): { step: number; ticks: Tick[] } {
  const open = of.pieces.filter((piece) => !piece.folded)
  const first = open[0]
  if (!first) return { step: SECOND, ticks: [] }
  const step = stepFor((first.to - first.from) / Math.max(1e-9, first.x1 - first.x0))
  const offset = offsetOf(zone, first.from)
  const found: Tick[] = []
  for (const piece of open) {
    const begin = Math.ceil((piece.from + offset) / step) * step - offset
    for (let at = begin; at <= piece.to; at += step) {
      found.push({ at, x: xOf(of, at), day: (at + offset) % DAY === 0 })
    }
  }
  return { step, ticks: found }
}

/** What a tick says: as much of the time as its step needs, or the day. */
export function tickText({ at, day }: Tick, step: number, zone: string, lang: string): string {
  if (day) return new Intl.DateTimeFormat(lang, { timeZone: zone, month: 'short', day: 'numeric' }).format(at)
  const options: Intl.DateTimeFormatOptions = { timeZone: zone, hourCycle: 'h23', hour: '2-digit', minute: '2-digit' }
  if (step < MINUTE) options.second = '2-digit'
  if (step < SECOND) options.fractionalSecondDigits = step < 100 ? 2 : 1
  return new Intl.DateTimeFormat(lang, options).format(at)
}
