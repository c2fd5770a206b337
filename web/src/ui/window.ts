// The arithmetic of a list of rows of one height, of which only the visible ones exist.

/** Firefox draws nothing below about 17.8 million pixels, so a longer list is scrolled in larger steps. */
export const TALLEST_PX = 15_000_000

export interface Window {
  /** The first row that is drawn, and the one after the last. */
  from: number
  to: number
  /** Where row `from` stands, in pixels from the top of the scrolled content. */
  top: number
}

/** Height of the scrolled content in pixels. */
export function contentHeight(count: number, rowPx: number): number {
  return Math.min(count * rowPx, TALLEST_PX)
}

/** The rows to draw for a view that is `viewPx` high and scrolled to `scrollTop`, with `spare` more on each side. */
export function visibleWindow(scrollTop: number, viewPx: number, count: number, rowPx: number, spare = 8): Window {
  const whole = count * rowPx
  const height = contentHeight(count, rowPx)
  const most = Math.max(0, height - viewPx)
  const at = Math.min(Math.max(0, scrollTop), most)
  // What stands at the top of the view in a list without the limit of the browser.
  const real = whole <= height ? at : (at / Math.max(1, most)) * (whole - viewPx)
  const first = Math.floor(real / rowPx)
  const from = Math.max(0, first - spare)
  const to = Math.min(count, Math.ceil((real + viewPx) / rowPx) + spare)
  return { from, to, top: at + (from * rowPx - real) }
}

/** The scroll position that shows row `index`; `where` says whether at the top, in the middle or as near as it is. */
export function scrollFor(
  index: number,
  scrollTop: number,
  viewPx: number,
  count: number,
  rowPx: number,
  where: 'start' | 'center' | 'nearest' = 'nearest',
): number {
  const whole = count * rowPx
  const height = contentHeight(count, rowPx)
  const most = Math.max(0, height - viewPx)
  const scale = whole <= height ? 1 : most / (whole - viewPx)
  const now = Math.min(Math.max(0, scrollTop), most) / scale
  const top = index * rowPx
  let wanted = now
  if (where === 'start') wanted = top
  else if (where === 'center') wanted = top - (viewPx - rowPx) / 2
  else if (top < now) wanted = top
  else if (top + rowPx > now + viewPx) wanted = top + rowPx - viewPx
  return Math.min(Math.max(0, wanted * scale), most)
}

/** The row that a key moves to; null where the key means nothing. */
export function moved(key: string, at: number, count: number, page: number): number | null {
  if (count === 0) return null
  const to: Record<string, number> = {
    ArrowDown: at + 1,
    j: at + 1,
    ArrowUp: at - 1,
    k: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: count - 1,
  }
  const target = to[key]
  return target === undefined ? null : Math.min(Math.max(0, target), count - 1)
}
