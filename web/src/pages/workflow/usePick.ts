// Days of a year picked with the mouse: pressed on one, let go on another. Whatever else is done with them is a plain press.
import { useEffect, useRef, useState, type PointerEvent } from 'react'

export interface Picked {
  from: string
  to: string
}

/** Earliest first, whichever way the mouse went; null for a single day. */
export const spanOf = (one: string, other: string): Picked | null => (one === other ? null : one < other ? { from: one, to: other } : { from: other, to: one })

const dayUnder = (target: EventTarget | null) => (target instanceof Element ? target.closest<HTMLElement>('[data-day]')?.dataset.day : undefined)

/** `picked` while the mouse is down. `done` is told of two days or more; a press on a single one is left to what stands there. */
export function usePick(enabled: boolean, done: (picked: Picked) => void) {
  const days = useRef<[string, string] | null>(null)
  const [picked, setPicked] = useState<Picked | null>(null)
  const move = (target: EventTarget | null) => {
    const day = dayUnder(target)
    if (days.current && day) days.current[1] = day
  }
  const stop = useRef((_: Event) => {})
  // What is drawn may be behind the mouse, so where it was let go is read from the event.
  stop.current = (event) => {
    move(event.target)
    const found = days.current && spanOf(...days.current)
    days.current = null
    setPicked(null)
    if (found) done(found)
  }
  useEffect(() => {
    const ear = (event: Event) => days.current && stop.current(event)
    addEventListener('pointerup', ear)
    return () => removeEventListener('pointerup', ear)
  }, [])
  const on = {
    onPointerDown: (event: PointerEvent) => {
      const day = dayUnder(event.target)
      // A finger scrolls.
      days.current = event.pointerType === 'mouse' && event.button === 0 && day ? [day, day] : null
    },
    onPointerOver: (event: PointerEvent) => {
      move(event.target)
      if (days.current) setPicked(spanOf(...days.current))
    },
  }
  return { picked, on: enabled ? on : {} }
}
