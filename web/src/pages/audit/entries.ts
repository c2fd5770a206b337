// Entries of the audit: what differs, where their object is to be seen, and which time is asked for. Pure.
import type { Tone } from '../../ui/states'
import { offsetOf } from '../../draw/time'

export interface AuditItem {
  id: number
  at: string
  principal: string | null
  token: string | null
  session_id: number | null
  address: string | null
  request_id: string | null
  action: string
  object_type: string
  object: string
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  command_id: number | null
  submission_id: number | null
  outcome: string
}

export const ACTIONS = [
  'CREATE', 'UPDATE', 'DELETE', 'DEFINE_TASK', 'ACTIVATE', 'ARCHIVE', 'UNARCHIVE', 'TRIGGER', 'RETRY', 'RERUN', 'CANCEL', 'PAUSE', 'RESUME', 'SKIP', 'HANDLE', 'PRIORITY',
  'COMPENSATE', 'ENABLE', 'DISABLE', 'SET_LIMIT', 'PAUSE_LIMIT', 'RESUME_LIMIT', 'OPEN_BREAKER', 'CLOSE_BREAKER', 'LOGIN', 'LOGIN_FAILED', 'LOGIN_LINK', 'LOGOUT', 'TOKEN_CREATE', 'TOKEN_REVOKE',
] as const
export const TYPES = ['workflow', 'version', 'instance', 'task', 'task_type', 'task_definition', 'limit', 'principal', 'token', 'session', 'tenant', 'command'] as const
export const NAMES = ['actor', 'action', 'object_type', 'object', 'since', 'from', 'to'] as const
export type AuditFilter = Record<(typeof NAMES)[number], string>

export const filterOf = (params: URLSearchParams) => Object.fromEntries(NAMES.map((name) => [name, params.get(name)?.trim() ?? ''])) as AuditFilter
/** Whether something but the time is asked for. */
export const isNarrow = (filter: AuditFilter) => filter.actor !== '' || filter.action !== '' || filter.object_type !== '' || filter.object !== ''

const DAY = 86_400_000
/** How far back; '' is the usual week, `all` all of it, `dates` from a day to a day. */
export const SPANS: Record<string, number> = { '24h': DAY, '': 7 * DAY, '30d': 30 * DAY }

/** The question to the API. Times are on full ten minutes, so that the same is asked again. */
export function queryOf(filter: AuditFilter, now: number, zone: string): Record<string, string> {
  const { actor, action, object_type, object } = filter
  const asked = { actor, action, object_type, object: object_type === '' ? '' : object }
  if (filter.since === 'all') return asked
  if (filter.since === 'dates') return { ...asked, from: filter.from && dayIn(filter.from, zone), to: filter.to && dayIn(filter.to, zone, 1) }
  const from = Math.floor((now - (SPANS[filter.since] ?? SPANS['']!)) / 600_000) * 600_000
  return { ...asked, from: new Date(from).toISOString() }
}

/** When a day begins in a zone, or the day that is `later` days behind it. */
function dayIn(day: string, zone: string, later = 0): string {
  const at = Date.parse(`${day}T00:00:00Z`) + later * DAY
  return Number.isNaN(at) ? '' : new Date(at - offsetOf(zone, at)).toISOString()
}

export interface Difference {
  field: string
  from: unknown
  to: unknown
}

/** Field by field; a field that was not there or empty, or is so now, is undefined. */
export function differences(entry: Pick<AuditItem, 'before' | 'after'>): Difference[] {
  const { before, after } = entry
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...fields].map((field) => ({ field, from: before?.[field] ?? undefined, to: after?.[field] ?? undefined }))
}

/** A value in a few letters. */
export function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

const TONES: Record<string, Tone> = { CREATE: 'good', ACTIVATE: 'good', UNARCHIVE: 'good', DELETE: 'bad', LOGIN_FAILED: 'bad', TOKEN_REVOKE: 'held', CANCEL: 'held', ARCHIVE: 'held', PAUSE: 'held', PAUSE_LIMIT: 'held', DISABLE: 'held', OPEN_BREAKER: 'held', TOKEN_CREATE: 'odd', LOGIN_LINK: 'odd' }
export const toneOf = (action: string): Tone => TONES[action] ?? (action.startsWith('LOG') ? 'wait' : 'busy')

const BITS = 20n

/** The page that shows the object; null where there is none. */
export function linkOf({ object_type: type, object }: Pick<AuditItem, 'object_type' | 'object'>): string | null {
  const key = encodeURIComponent(object)
  switch (type) {
    case 'workflow': return `/workflows/${key}`
    case 'version': return `/workflows/${encodeURIComponent(object.replace(/:\d+$/, ''))}?tab=versions`
    case 'instance': return `/instances/${key}`
    case 'task': return /^\d+$/.test(object) ? `/instances/${BigInt(object) >> BITS}?task=${object}` : null
    case 'limit': return '/limits'
    case 'task_type': return `/types?open=${key}`
    case 'task_definition': return `/definitions?open=${key}`
    case 'token': return '/access?tab=tokens'
    case 'session': return '/access?tab=sessions'
    case 'principal': return '/access?tab=people'
    case 'tenant': return `/access?tab=tenants&of=${key}`
    default: return null
  }
}
