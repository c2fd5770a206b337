// What can be undone and done again: documents as they were, newest last.
import type { Doc } from './document'

/** A state of the draft. `text`: as a person wrote it, with its comments, if it is still that. */
export interface Moment {
  document: Doc
  text: string | null
  format: string
}

export interface History {
  past: Moment[]
  future: Moment[]
}

export const LONGEST = 200
export const nothing: History = { past: [], future: [] }

/** An edit is made: `before` can come back, and what was undone cannot. */
export const done = (history: History, before: Moment): History => ({ past: [...history.past, before].slice(-LONGEST), future: [] })

/** One step back: the state to return to, and the history then; null where there is none. */
export function undone(history: History, now: Moment): { to: Moment; history: History } | null {
  const to = history.past.at(-1)
  return to ? { to, history: { past: history.past.slice(0, -1), future: [...history.future, now] } } : null
}

/** One step forward again. */
export function redone(history: History, now: Moment): { to: Moment; history: History } | null {
  const to = history.future.at(-1)
  return to ? { to, history: { past: [...history.past, now], future: history.future.slice(0, -1) } } : null
}
