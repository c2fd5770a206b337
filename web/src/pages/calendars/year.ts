// What a calendar and its year are, and what each day of it is. Pure: zone and language come in.
import { clock } from '../../format'

export type Span = [from: string, to: string]

export interface TradingSessionItem {
  day: string
  open_at: string | null
  close_at: string | null
  breaks: Span[]
  night: Span | null
  is_half: boolean
}

export interface CalendarItem {
  name: string
  kind: 'exchange' | 'workday'
  title: string
  timezone: string
  first: string
  last: string
  days_left: number
  ends_soon: boolean
  products: string[]
  source: string
  is_own: boolean
}

export interface DayOverrideItem {
  calendar: string
  day: string
  kind: 'closed' | 'open' | 'half'
  hours: string | null
  reason: string
  set_by: string | null
  set_at: string
}

export interface CalendarYear extends CalendarItem {
  year: number
  sessions: TradingSessionItem[]
  closed: string[]
  next: TradingSessionItem[]
  overrides: DayOverrideItem[]
}

/** What a day is, with its sign: the same kinds as `qflowd calendars show` has, in the order of the legend. */
export const signs = { session: '●', half: '◐', dayOnly: '○', extra: '+', closed: '✕', weekend: '·', unknown: '?' } as const
export type Kind = keyof typeof signs

export interface Day {
  day: string
  kind: Kind
  session?: TradingSessionItem
}

const DAY_MS = 86_400_000

/** The days of the year by month. */
export function monthsOf(year: CalendarYear): Day[][] {
  const sessions = new Map(year.sessions.map((each) => [each.day, each]))
  const closed = new Set(year.closed)
  const hasNights = year.sessions.some((each) => each.night)
  const kindOf = (day: string, session: TradingSessionItem | undefined): Kind => {
    if (day < year.first || day > year.last) return 'unknown'
    if (!session) return closed.has(day) ? 'closed' : 'weekend'
    if (session.is_half) return 'half'
    if (hasNights && !session.night) return 'dayOnly'
    return isWeekend(day) ? 'extra' : 'session'
  }
  return Array.from({ length: 12 }, (_, month) => {
    const length = new Date(Date.UTC(year.year, month + 1, 0)).getUTCDate()
    return Array.from({ length }, (_, at) => {
      const day = new Date(Date.UTC(year.year, month) + at * DAY_MS).toISOString().slice(0, 10)
      const session = sessions.get(day)
      return { day, kind: kindOf(day, session), session }
    })
  })
}

const isWeekend = (day: string) => [0, 6].includes(new Date(day).getUTCDay())

/** How many days are of each kind, without kinds that the year does not have. */
export function countsOf(months: Day[][]): [Kind, number][] {
  const days = months.flat()
  return (Object.keys(signs) as Kind[]).map((kind): [Kind, number] => [kind, days.filter((each) => each.kind === kind).length]).filter(([, many]) => many > 0)
}

/** The day that a key leads to; the same one at the edge. `turned`: months stand side by side, as on a phone. */
export function walk(day: string, key: string, turned: boolean): string {
  const at = new Date(day)
  const [month, number] = [at.getUTCMonth(), at.getUTCDate()]
  const lengthOf = (of: number) => new Date(Date.UTC(at.getUTCFullYear(), of + 1, 0)).getUTCDate()
  const to = (of: number, wanted: number) => new Date(Date.UTC(at.getUTCFullYear(), of, Math.min(wanted, lengthOf(of)))).toISOString().slice(0, 10)
  const [back, on, up, down] = turned ? ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'] : ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']
  if (key === back) return number > 1 ? to(month, number - 1) : month > 0 ? to(month - 1, 31) : day
  if (key === on) return number < lengthOf(month) ? to(month, number + 1) : month < 11 ? to(month + 1, 1) : day
  if (key === up) return month > 0 ? to(month - 1, number) : day
  if (key === down) return month < 11 ? to(month + 1, number) : day
  if (key === 'Home') return to(month, 1)
  if (key === 'End') return to(month, 31)
  return day
}

/** The times of trading of a day session, without its breaks, by the clocks of a zone: `09:30–11:30`. */
export function hoursOf(session: TradingSessionItem, zone: string): string[] {
  if (!session.open_at || !session.close_at) return []
  const edges = [session.open_at, ...session.breaks.flat(), session.close_at]
  return edges.flatMap((from, i) => (i % 2 === 0 ? [`${at(from, zone)}–${at(edges[i + 1]!, zone)}`] : []))
}

const at = (instant: string, zone: string) => clock(instant, zone, Date.parse(instant))

/** A span with the day on which it begins; it is shorter than a day: `11-20 21:00–02:30`. */
export const spanOf = ([from, to]: Span, zone: string) => `${clock(from, zone, 0)}–${at(to, zone)}`

/** Night and day of a session, from the first trade to the last, each with the day on which it begins. */
export const wholeOf = (session: TradingSessionItem, zone: string) =>
  [session.night, session.open_at && session.close_at ? ([session.open_at, session.close_at] as Span) : null].flatMap((span) => (span ? [spanOf(span, zone)] : []))

/** Making one takes long, and a year has hundreds of days. */
const weekdays = new Map<string, Intl.DateTimeFormat>()

/** `2026-11-20 Fri`. */
export function dayWord(day: string, lang: string): string {
  let format = weekdays.get(lang)
  if (!format) weekdays.set(lang, (format = new Intl.DateTimeFormat(lang, { timeZone: 'UTC', weekday: 'short' })))
  return `${day} ${format.format(new Date(day))}`
}

/** A year that a calendar knows, or none: then it shows the present one. */
export const yearWithin = (one: CalendarItem, year: string) => (Number(year) >= yearOf(one.first) && Number(year) <= yearOf(one.last) ? year : '')

export const yearOf = (day: string) => Number(day.slice(0, 4))
