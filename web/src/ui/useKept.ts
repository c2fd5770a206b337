// A switch that stays as it was left, in this browser.
import { useCallback, useState } from 'react'

export function useKept<T>(name: string, initial: T): [T, (value: T) => void] {
  const place = `qflowd.${name}`
  const [value, setValue] = useState<T>(() => {
    try {
      const kept = localStorage.getItem(place)
      return kept === null ? initial : (JSON.parse(kept) as T)
    } catch {
      return initial
    }
  })
  const keep = useCallback(
    (next: T) => {
      setValue(next)
      try {
        localStorage.setItem(place, JSON.stringify(next))
      } catch {
        // A browser that keeps nothing forgets it with the page.
      }
    },
    [place],
  )
  return [value, keep]
}
