// Server-sent events by `fetch`: an EventSource would hide why it was refused, and could not name the last event it has seen.
import { address, ApiProblem, refusalOf, type Query } from './call'

export interface ServerEvent {
  id: string | null
  kind: string
  data: Record<string, unknown>
}

/** The server says something every 15 s: a connection that has been silent for longer is not there any more. */
const SILENT_MS = 40_000

/** Reads until the server ends the stream, or is silent; raises `ApiProblem` where it is refused or breaks off. */
export async function readEvents(path: string, query: Query, last: string | null, signal: AbortSignal, opened: () => void, hear: (event: ServerEvent) => void): Promise<void> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (last !== null) headers['Last-Event-ID'] = last
  let response: Response
  try {
    response = await fetch(address(path, query), { headers, signal, credentials: 'same-origin', cache: 'no-store' })
  } catch {
    throw new ApiProblem(0, '')
  }
  if (!response.ok || response.body === null) throw await refusalOf(response)
  opened()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const silent = setTimeout(() => void reader.cancel().catch(() => undefined), SILENT_MS)
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }))
    clearTimeout(silent)
    if (done || value === undefined) return
    const parts = (rest + value).split('\n\n')
    rest = parts.pop()!
    for (const part of parts) {
      const event = eventOf(part)
      if (event) hear(event)
    }
  }
}

/** One event as it was sent; null for a comment. */
export function eventOf(block: string): ServerEvent | null {
  const fields: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2)
  }
  return fields.event === undefined ? null : { id: fields.id ?? null, kind: fields.event, data: JSON.parse(fields.data ?? '{}') as Record<string, unknown> }
}
