import { expect, it } from 'vitest'
import { endOf, isDue, keyOf, marksOf, scale, shownOf, spanOf, titleOf, type FireItem, type ScheduleItem } from './lanes'

const NOW = Date.parse('2026-11-30T08:03:00Z')
const one = (workflow: string, next: string | null): ScheduleItem => ({
  workflow, name: 'cron', cron: '0 9 * * *', session_time: '', times: '0 9 * * *', calendar: '', timezone: 'UTC', catchup: 'none', enabled: next !== null, source: 'file', last_fire_at: null, next_fire_at: next, wait_reason: null,
  set_by: null, set_at: null, set_reason: null, file_says: null, start_on: null, etag: '',
})
const fire = (at: string, state: string): FireItem => ({ workflow: 'a', schedule: 'cron', at, state, instance_id: null, error: null, business_date: null, fact: null, fact_id: null })

it('asks for the same time for ten minutes', () => {
  expect(spanOf('', NOW)).toEqual({ from: '2026-11-30T02:00:00.000Z', to: '2026-12-01T08:00:00.000Z' })
  expect(spanOf('', NOW + 60_000)).toEqual(spanOf('', NOW))
  expect(spanOf('nonsense', NOW)).toEqual(spanOf('', NOW))
})

it('calls a schedule overdue a minute after its time', () => {
  expect(isDue(one('a', '2026-11-30T08:02:30Z'), NOW)).toBe(false)
  expect(isDue(one('a', '2026-11-30T08:01:30Z'), NOW)).toBe(true)
  expect(isDue(one('a', null), NOW)).toBe(false)
})

it('puts first what comes first, and what is off last', () => {
  const all = [one('off', null), one('later', '2026-11-30T09:00:00Z'), one('due', '2026-11-30T07:00:00Z')]
  const names = (view: string, words = '') => shownOf(all, view, words, NOW).map((each) => each.workflow)
  expect(names('')).toEqual(['due', 'later', 'off'])
  expect(names('due')).toEqual(['due'])
  expect(names('off')).toEqual(['off'])
  expect(names('', 'LAT')).toEqual(['later'])
})

it('does not call off what waits for a fact', () => {
  const follows = { ...one('follows', null), cron: '', start_on: 'workflow bars' }
  const archived = { ...follows, workflow: 'archived', wait_reason: 'workflow bars is archived or not there' }
  expect(shownOf([follows, archived], 'off', '', NOW)).toEqual([archived])
})

it('names one of several by its own name too', () => {
  const night = { ...one('a', null), name: 'night' }
  expect([titleOf(one('a', null)), titleOf(night)]).toEqual(['a', 'a · night'])
  expect(shownOf([one('a', null), night], '', 'night', NOW)).toEqual([night])
})

it('places fires on the line, each by what came of it', () => {
  const from = Date.parse('2026-11-30T00:00:00Z')
  const marks = marksOf([fire('2026-11-30T06:00:00Z', 'SUCCESS'), fire('2026-11-30T12:00:00Z', 'NEXT'), fire('2026-11-30T18:00:00Z', 'MISSED'), fire('2026-12-02T00:00:00Z', 'NEXT')], from, from + 86_400_000).get(keyOf(one('a', null)))!
  expect(marks.map(({ x, look }) => [x, look])).toEqual([[25, 'good'], [50, 'next'], [75, 'missed']])
  expect(endOf(marks)).toBeNull()
  const many = marksOf(Array.from({ length: 200 }, (_, i) => fire(new Date(from + i * 60_000).toISOString(), 'NEXT')), from, from + 86_400_000).get('a cron')!
  expect(endOf(many)).toBeCloseTo((199 / 1440) * 100)
})

it('writes the scale in the zone', () => {
  const from = Date.parse('2026-11-30T02:00:00Z')
  const texts = scale(from, from + 30 * 3_600_000, 'Asia/Shanghai', 'en-GB')
  expect(texts[0]).toMatchObject({ text: '12:00', day: false })
  expect(texts.find((tick) => tick.day)?.text).toBe('1 Dec')
})
