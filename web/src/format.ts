// How numbers, durations and times are written. Pure: language and zone come in.
import type { Words } from './words/en'

/** `4.2 s`, `3 min 12 s`, `5 h 20 min`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined, w: Words): string {
  if (seconds == null || Number.isNaN(seconds)) return '–'
  const s = Math.max(0, seconds)
  if (s < 10) return w.time.second(s < 1 ? s.toFixed(2) : s.toFixed(1))
  if (s < 60) return w.time.second(String(Math.round(s)))
  const whole = Math.round(s)
  const parts: [number, (n: number) => string][] =
    whole < 3600
      ? [[Math.floor(whole / 60), w.time.minute], [whole % 60, (n) => w.time.second(String(n))]]
      : whole < 86400
        ? [[Math.floor(whole / 3600), w.time.hour], [Math.floor((whole % 3600) / 60), w.time.minute]]
        : [[Math.floor(whole / 86400), w.time.day], [Math.floor((whole % 86400) / 3600), w.time.hour]]
  return parts.filter(([n], i) => n > 0 || i === 0).map(([n, say]) => say(n)).join(' ')
}

/** `12 s ago`, `in 3 h`: the largest unit only, for lists. */
export function relative(at: string | null | undefined, now: number, w: Words): string {
  if (!at) return w.time.never
  const s = (now - Date.parse(at)) / 1000
  const far = Math.abs(s)
  if (far < 3) return w.time.now
  const text =
    far < 60 ? w.time.second(String(Math.round(far)))
    : far < 3600 ? w.time.minute(Math.floor(far / 60))
    : far < 86400 ? w.time.hour(Math.floor(far / 3600))
    : w.time.day(Math.floor(far / 86400))
  return s >= 0 ? w.time.ago(text) : w.time.in(text)
}

/** Making a formatter costs a hundred times what using it costs, and a list shows hundreds of times. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(kind: string, locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${kind} ${options.timeZone}`
  let format = formats.get(key)
  if (!format) formats.set(key, (format = new Intl.DateTimeFormat(locale, options)))
  return format
}

let ownZone = ''
export const zoneName = (zone: string) => (zone === 'browser' ? (ownZone ||= Intl.DateTimeFormat().resolvedOptions().timeZone) : zone)

/** `2026-11-28 16:30:05 CST +08:00`: the zone is always written out. */
export function absolute(at: string | null | undefined, zone: string): string {
  if (!at) return '–'
  const when = new Date(at)
  const timeZone = zoneName(zone)
  const p = parts(when, timeZone)
  const short = named(when, timeZone)
  const offset = short === 'UTC' ? '' : offsetOf(when, timeZone)
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second} ${`${short} ${offset}`.trim()}`
}

/** Why something waits, with its instants as `absolute` writes them: the API says them in UTC. */
export const inZone = (reason: string, zone: string) =>
  reason.replace(/\b(since|until) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/g, (found, word: string, at: string) => (Number.isNaN(Date.parse(at)) ? found : `${word} ${absolute(at, zone)}`))

/** `16:30` today, `11-27 16:30` else: for axes and narrow columns; a tooltip says the rest. */
export function clock(at: string | null | undefined, zone: string, now = Date.now()): string {
  if (!at) return '–'
  const timeZone = zoneName(zone)
  const p = parts(new Date(at), timeZone)
  const today = parts(new Date(now), timeZone)
  const same = p.year === today.year && p.month === today.month && p.day === today.day
  return same ? `${p.hour}:${p.minute}` : `${p.month}-${p.day} ${p.hour}:${p.minute}`
}

function parts(when: Date, timeZone: string): Record<string, string> {
  const format = formatOf('parts', 'en-CA', {
    timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  })
  return Object.fromEntries(format.formatToParts(when).map((x) => [x.type, x.value]))
}

// Intl knows abbreviations only for a country's own language, so the markets' zones have theirs here.
const SHORT: Record<string, string> = { 'Asia/Shanghai': 'CST', 'Asia/Hong_Kong': 'HKT', 'Asia/Tokyo': 'JST', 'Asia/Singapore': 'SGT', UTC: 'UTC' }

function named(when: Date, timeZone: string): string {
  const known = SHORT[timeZone]
  if (known) return known
  const name = zonePart(formatOf('short', 'en-US', { timeZone, timeZoneName: 'short' }), when)
  return name.startsWith('GMT') ? '' : name
}

function offsetOf(when: Date, timeZone: string): string {
  return zonePart(formatOf('offset', 'en-US', { timeZone, timeZoneName: 'longOffset' }), when).replace('GMT', '') || '+00:00'
}

const zonePart = (format: Intl.DateTimeFormat, when: Date) => format.formatToParts(when).find((x) => x.type === 'timeZoneName')?.value ?? ''

/** `5,400`. */
export const count = (n: number | null | undefined) => (n == null ? '–' : n.toLocaleString('en-US'))

/** `0.4 MB`, `1.2 GB`; from megabytes. */
export function megabytes(mb: number | null | undefined): string {
  if (mb == null) return '–'
  return mb >= 1024 ? `${(mb / 1024).toFixed(1)} GB` : `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`
}

/** The last two parts of a path; the rest is told by a title. */
export const shortPath = (path: string) => path.split('/').slice(-2).join('/')
