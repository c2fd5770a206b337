// The one door to the API: envelope, CSRF, sessions, ETags, requests that take longer.

import { taken } from './ahead'
import { ApiProblem, isPassing, type Fault } from './problem'
import { address, basePath, root, tenant, type Query } from './where'

export { address, ApiProblem, basePath, isPassing, root, tenant, type Fault, type Query }

export interface Ask {
  method?: string
  query?: Query
  body?: unknown
  /** Of what is changed, as it was read: the server refuses if it is no longer so. */
  etag?: string | null
  signal?: AbortSignal
  headers?: Record<string, string>
}

export interface Reply<T> {
  data: T
  status: number
  message: string
  etag: string | null
  location: string | null
}

let csrf: string | null = null
export const keepCsrf = (value: string | null) => void (csrf = value)

const ears = new Set<(problem: ApiProblem) => void>()
/** Tells when the server no longer knows who we are. */
export function onSignedOut(ear: (problem: ApiProblem) => void) {
  ears.add(ear)
  return () => void ears.delete(ear)
}

/** Asks once. Raises `ApiProblem` for whatever is not a success. */
export async function call<T>(path: string, ask: Ask = {}): Promise<Reply<T>> {
  const method = ask.method ?? 'GET'
  const headers: Record<string, string> = { Accept: 'application/json', ...ask.headers }
  if (method !== 'GET') {
    headers['Content-Type'] = 'application/json'
    if (csrf) headers['X-Qflowd-CSRF'] = csrf
  }
  if (ask.etag) headers['If-Match'] = ask.etag
  const body = method === 'GET' ? undefined : JSON.stringify(ask.body ?? {})
  let response: Response
  try {
    const url = address(path, ask.query)
    response = await ((method === 'GET' && taken(url)) || fetch(url, { method, headers, body, signal: ask.signal, credentials: 'same-origin' }))
  } catch (error) {
    if (ask.signal?.aborted) throw error
    throw new ApiProblem(0, '')
  }
  const answer = await read(response)
  if (!response.ok) {
    const problem = refusal(response, answer)
    if (endsSession(problem, method, path)) for (const ear of ears) ear(problem)
    throw problem
  }
  return {
    data: answer?.data as T,
    status: response.status,
    message: answer?.message ?? '',
    etag: response.headers.get('ETag'),
    location: response.headers.get('Location'),
  }
}

/** A wrong password is refused by 401, too, but ends nothing. */
const endsSession = (problem: ApiProblem, method: string, path: string) =>
  [40101, 40103].includes(problem.code) ? !path.startsWith('/login') : problem.code === 40102 && method === 'GET'

interface Envelope {
  code: number
  message: string
  data: unknown
}

async function read(response: Response): Promise<Envelope | null> {
  const type = response.headers.get('Content-Type') ?? ''
  if (!type.includes('json')) return null
  return (await response.json()) as Envelope
}

function refusal(response: Response, answer: Envelope | null): ApiProblem {
  const more = (answer?.data ?? {}) as { errors?: Fault[]; request_id?: string }
  const request = more.request_id ?? response.headers.get('X-Request-Id')
  return new ApiProblem(answer?.code ?? response.status * 100, answer?.message ?? response.statusText, more.errors ?? [], request, answer?.data ?? null)
}

/** What an answer outside the envelope says that is no success. */
export const refusalOf = async (response: Response) => refusal(response, await read(response).catch(() => null))

/** A text outside the envelope: a log, a document. */
export async function text(path: string, query: Query = {}, signal?: AbortSignal): Promise<string> {
  const response = await fetch(address(path, query), { headers: { Accept: 'text/plain' }, signal, credentials: 'same-origin' })
  if (!response.ok) throw refusal(response, await read(response))
  return response.text()
}

/** A JSON document outside the envelope. */
export async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(address(path), { headers: { Accept: 'application/json' }, signal, credentials: 'same-origin' })
  if (!response.ok) throw refusal(response, await read(response))
  return (await response.json()) as T
}

/** What was sent without an answer, by what it said: sent again, it has the same key, and is done once. */
const unsure = new Map<string, { key: string; at: number }>()
const UNSURE_MS = 600_000
const LOOK_AGAIN_MS = 1_000

function keyOf(sent: string): string {
  const known = unsure.get(sent)
  if (known && Date.now() - known.at < UNSURE_MS) return known.key
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  unsure.set(sent, { key, at: Date.now() })
  return key
}

/** Sends a change, which is done once however often a person has to press; it is not waited for. */
export async function send<T>(path: string, ask: Ask): Promise<Reply<T>> {
  const method = ask.method ?? 'POST'
  if (method !== 'POST') return call<T>(path, { ...ask, method })
  const sent = JSON.stringify([path, ask.query, ask.body])
  try {
    const reply = await call<T>(path, { ...ask, method, headers: { ...ask.headers, 'Idempotency-Key': keyOf(sent) } })
    unsure.delete(sent)
    return reply
  } catch (error) {
    if (!isPassing(error)) unsure.delete(sent)
    throw error
  }
}

interface Outcome { state?: string; error?: string | null; error_code?: number | null }

/** Changes something. A write that takes longer (202) is waited for, up to two minutes; what is refused then raises, too. */
export async function change<T>(path: string, ask: Ask): Promise<Reply<T>> {
  let reply = await send<T>(path, ask)
  const until = Date.now() + 120_000
  while (reply.status === 202 && reply.location && Date.now() < until) {
    const where = reply.location.replace(/^.*\/api\/v1/, '')
    try {
      const next = await call<T>(where, { query: { wait: 30 }, signal: ask.signal })
      const { state = '', error, error_code } = (next.data ?? {}) as Outcome
      if (state === 'REJECTED') throw new ApiProblem(error_code ?? 40901, error ?? '', [], null, next.data)
      if (state !== 'NEW') return { ...next, message: reply.message }
      reply = { ...reply, data: next.data }
    } catch (error) {
      // It is written: that a look fails says nothing of it.
      if (ask.signal?.aborted || !isPassing(error)) throw error
      await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS))
    }
  }
  return reply
}
