// Which language is spoken, and how a component gets its words.
import { useSyncExternalStore } from 'react'
import { useSettings } from '../settings'
import { en } from './en'
import { zh } from './zh'

export type { Words } from './en'

const common = { en, zh }

/** Words that all pages share, in the language that is spoken. */
export const useCommon = () => common[useSettings().lang]

/** A page's own words: `useWords(words)` with `words = { en, zh }` of its `words.ts`. */
export function useWords<T>(both: { en: T; zh: T }): T {
  return both[useSettings().lang]
}

/** Re-renders once a second for whatever shows an age. One clock for the whole page. */
const ears = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined
let now = Date.now()
function subscribe(ear: () => void) {
  ears.add(ear)
  timer ??= setInterval(() => {
    if (document.hidden) return
    now = Date.now()
    for (const each of ears) each()
  }, 1000)
  return () => {
    ears.delete(ear)
    if (ears.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}
export const useNow = () => useSyncExternalStore(subscribe, () => now)
