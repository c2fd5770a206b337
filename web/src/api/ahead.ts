// What the first page asks is on its way before the code that wants the answer is here.
import { address, type Query } from './where'

/** Later, an answer is too old to be shown as new. */
const EARLY_MS = 5_000
export const isEarly = () => performance.now() < EARLY_MS

const begun = new Map<string, Promise<Response>>()

export function askAhead(path: string, query: Query = {}) {
  const url = address(path, query)
  const answer = fetch(url, { headers: { Accept: 'application/json' }, credentials: 'same-origin' })
  // Whoever takes it is told of a failure.
  answer.catch(() => undefined)
  begun.set(url, answer)
}

/** The answer of what has been asked ahead, once. */
export function taken(url: string): Promise<Response> | undefined {
  const answer = begun.get(url)
  begun.delete(url)
  return isEarly() ? answer : undefined
}
