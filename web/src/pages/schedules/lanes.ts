// The line of time: what stands where on it, and which schedules are shown. Pure.
import { axis, ticks, tickText } from '../../draw/time'

export interface ScheduleItem {
  workflow: string
  name: string
  cron: string
  session_time: string
  times: string
  calendar: string
  timezone: string
  catchup: string
  enabled: boolean
  source: string
  last_fire_at: string | null
  next_fire_at: string | null
  wait_reason: string | null
  /** Who has set other times than the file says; else null. */
  set_by: string | null
  set_at: string | null
  set_reason: string | null
  file_says: string | null
  start_on: string | null
  etag: string
}

export interface FireItem {
  workflow: string
  schedule: string
  at: string
  /** NEXT, DUE, MISSED, or the state of the run that came of it. */
  state: string | null
  instance_id: number | null
  error: string | null
  business_date: string | null
  /** What has started it in place of a time; else null. */
  fact: string | null
  fact_id: number | null
}

export interface ComingFire {
  schedule: string
  at: string
  business_date: string
}

/** The only schedule of a workflow has this name. */
const ONLY = 'cron'

export interface ScheduleList {
  schedules: ScheduleItem[]
  fires: FireItem[]
  from: string
  to: string
}

/** A schedule counts as overdue a minute after its time: until then a daemon is merely about to fire it. */
export const GRACE_MS = 60_000
/** As many fires of one schedule the API tells at most. */
export const MOST = 200
const HOUR = 3_600_000

export const SPANS: Record<string, { back: number; ahead: number }> = {
  '': { back: 6 * HOUR, ahead: 24 * HOUR },
  '3d': { back: 24 * HOUR, ahead: 72 * HOUR },
  '7d': { back: 24 * HOUR, ahead: 168 * HOUR },
}

/** The time that is asked for, on full ten minutes, so that the same question is asked for ten minutes. */
export function spanOf(name: string, now: number): { from: string; to: string } {
  const { back, ahead } = SPANS[name] ?? SPANS['']!
  const at = Math.floor(now / (HOUR / 6)) * (HOUR / 6)
  return { from: new Date(at - back).toISOString(), to: new Date(at + ahead).toISOString() }
}

export const keyOf = (one: { workflow: string; name?: string; schedule?: string }) => `${one.workflow} ${one.name ?? one.schedule ?? ''}`

/** What people call it: the workflow, and which of several schedules. */
export const titleOf = (one: ScheduleItem) => (one.name === ONLY ? one.workflow : `${one.workflow} · ${one.name}`)

export const isDue = (one: ScheduleItem, now: number) => one.next_fire_at !== null && Date.parse(one.next_fire_at) < now - GRACE_MS

/** Nothing comes of it by itself: one on a fact has no next time, but a fact may come. */
export const isOff = (one: ScheduleItem) => one.next_fire_at === null && (one.start_on === null || one.wait_reason !== null)

/** What is shown: those of the view, whose workflow contains the words; what comes first stands first, what is off last. */
export function shownOf(all: ScheduleItem[], view: string, words: string, now: number): ScheduleItem[] {
  const wanted = words.toLowerCase()
  return all
    .filter((one) => titleOf(one).toLowerCase().includes(wanted))
    .filter((one) => (view === 'due' ? isDue(one, now) : view === 'off' ? isOff(one) : true))
    .sort((a, b) => (a.next_fire_at ?? '9').localeCompare(b.next_fire_at ?? '9') || titleOf(a).localeCompare(titleOf(b)))
}

export interface Mark {
  fire: FireItem
  /** Percent of the line. */
  x: number
  look: 'next' | 'due' | 'good' | 'bad' | 'missed' | 'other'
}

const LOOKS: Record<string, Mark['look']> = { NEXT: 'next', DUE: 'due', SUCCESS: 'good', FAILED: 'bad', REJECTED: 'bad', MISSED: 'missed' }

/** The fires of each schedule, where they stand between `from` and `to`. */
export function marksOf(fires: FireItem[], from: number, to: number): Map<string, Mark[]> {
  const found = new Map<string, Mark[]>()
  for (const fire of fires) {
    const x = ((Date.parse(fire.at) - from) / (to - from)) * 100
    if (x < 0 || x > 100) continue
    const key = keyOf(fire)
    const marks = found.get(key) ?? []
    marks.push({ fire, x, look: LOOKS[fire.state ?? ''] ?? 'other' })
    found.set(key, marks)
  }
  return found
}

/** Where the marks of a schedule end because there are too many to tell; null: all of them are there. */
export function endOf(marks: Mark[]): number | null {
  const coming = marks.filter((mark) => mark.look === 'next' || mark.look === 'due')
  return coming.length >= MOST ? coming.at(-1)!.x : null
}

/** Ticks of the line in `zone`: percent and what is written there. */
export function scale(from: number, to: number, zone: string, lang: string): { x: number; text: string; day: boolean }[] {
  const { step, ticks: all } = ticks(axis(from, to, 900), zone)
  return all.map((tick) => ({ x: (tick.x / 900) * 100, text: tickText(tick, step, zone, lang), day: tick.day }))
}
