import { expect, it } from 'vitest'
import { countsOf, dayWord, hoursOf, monthsOf, spanOf, walk, wholeOf, yearWithin, type CalendarYear, type TradingSessionItem } from './year'

const session = (day: string, more: Partial<TradingSessionItem> = {}): TradingSessionItem => ({
  day, open_at: `${day}T01:30:00Z`, close_at: `${day}T07:00:00Z`, breaks: [[`${day}T03:30:00Z`, `${day}T05:00:00Z`]], night: null, is_half: false, ...more,
})
const year = (more: Partial<CalendarYear>): CalendarYear => ({
  name: 'X', kind: 'exchange', title: '', timezone: 'Asia/Shanghai', first: '2024-01-02', last: '2024-12-30', days_left: 9, ends_soon: true, products: [], source: '', is_own: false, year: 2024, sessions: [], closed: [], next: [], overrides: [], ...more,
})
const kindsOf = (of: CalendarYear) => new Map(monthsOf(of).flat().map(({ day, kind }) => [day, kind]))

it('has every day of the year once, and says what each is', () => {
  const kinds = kindsOf(year({ sessions: [session('2024-02-08'), session('2024-02-09', { is_half: true }), session('2024-02-18')], closed: ['2024-02-12'] }))
  expect(kinds.size).toBe(366)
  const asked = ['2024-01-01', '2024-02-08', '2024-02-09', '2024-02-10', '2024-02-12', '2024-02-18', '2024-12-31']
  expect(asked.map((day) => kinds.get(day))).toEqual(['unknown', 'session', 'half', 'weekend', 'closed', 'extra', 'unknown'])
})

it('marks a session without a night only where there are nights', () => {
  const night: [string, string] = ['2024-02-07T13:00:00Z', '2024-02-07T18:30:00Z']
  const with_ = kindsOf(year({ sessions: [session('2024-02-08', { night }), session('2024-02-19')] }))
  expect([with_.get('2024-02-08'), with_.get('2024-02-19')]).toEqual(['session', 'dayOnly'])
  expect(kindsOf(year({ sessions: [session('2024-02-19')] })).get('2024-02-19')).toBe('session')
})

it('counts the kinds that there are', () => {
  const counts = countsOf(monthsOf(year({ sessions: [session('2024-02-08')], closed: ['2024-02-12'] })))
  expect(counts.map(([kind]) => kind)).toEqual(['session', 'closed', 'weekend', 'unknown'])
  expect(counts.reduce((sum, [, many]) => sum + many, 0)).toBe(366)
})

it('walks over days and months, and stops at the ends of the year', () => {
  expect(walk('2024-01-31', 'ArrowRight', false)).toBe('2024-02-01')
  expect(walk('2024-03-01', 'ArrowLeft', false)).toBe('2024-02-29')
  expect(walk('2024-01-31', 'ArrowDown', false)).toBe('2024-02-29')
  expect(walk('2024-02-14', 'Home', false)).toBe('2024-02-01')
  expect(walk('2024-02-14', 'End', false)).toBe('2024-02-29')
  for (const [day, key] of [['2024-01-01', 'ArrowLeft'], ['2024-01-09', 'ArrowUp'], ['2024-12-31', 'ArrowRight'], ['2024-12-09', 'ArrowDown']]) expect(walk(day!, key!, false)).toBe(day)
  expect(walk('2024-01-31', 'ArrowDown', true)).toBe('2024-02-01')
  expect(walk('2024-01-31', 'ArrowRight', true)).toBe('2024-02-29')
})

it('writes hours by the clocks of a zone, with the day on which a span begins', () => {
  expect(hoursOf(session('2024-02-08'), 'Asia/Shanghai')).toEqual(['09:30–11:30', '13:00–15:00'])
  expect(hoursOf(session('2024-02-08', { open_at: null, close_at: null, breaks: [] }), 'UTC')).toEqual([])
  expect(spanOf(['2024-02-07T13:00:00Z', '2024-02-07T18:30:00Z'], 'Asia/Shanghai')).toBe('02-07 21:00–02:30')
  expect(wholeOf(session('2024-02-08', { night: ['2024-02-07T13:00:00Z', '2024-02-07T15:00:00Z'] }), 'UTC')).toEqual(['02-07 13:00–15:00', '02-08 01:30–07:00'])
  expect(dayWord('2024-02-09', 'en')).toBe('2024-02-09 Fri')
})

it('keeps a year for another calendar only if that one knows it', () => {
  expect([yearWithin(year({}), '2024'), yearWithin(year({}), '2025'), yearWithin(year({}), '')]).toEqual(['2024', '', ''])
})
