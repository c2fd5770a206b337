import { expect, it } from 'vitest'
import { spanOf } from './usePick'
import { countsOf, missingOf, monthsOf, type DayOfWorkflow } from './year'

const day = (date: string, more: Partial<DayOfWorkflow> = {}): DayOfWorkflow => ({ date, is_session: true, is_gap: false, runs: 0, state: null, instance_id: null, ...more })
const days = [
  day('2024-02-26', { state: 'SUCCESS' }), day('2024-02-27', { state: 'FAILED', is_gap: true }), day('2024-02-28', { state: 'RUNNING', is_gap: true }),
  day('2024-02-29', { is_gap: true }), day('2024-03-01'),
]

it('has every day of the year once, and says what each is', () => {
  const months = monthsOf({ workflow: 'w', calendar: 'X', year: 2024, gaps: 3, days })
  const kinds = new Map(months.flat().map((each) => [each.day, each.kind]))
  expect(kinds.size).toBe(366)
  expect(days.map((each) => kinds.get(each.date))).toEqual(['good', 'bad', 'open', 'missing', 'coming'])
  expect(countsOf(months)).toEqual([['good', 1], ['open', 1], ['bad', 1], ['missing', 1], ['coming', 1], ['none', 361]])
})

it('offers what is missing, from the first to the last', () => {
  const of = (some: DayOfWorkflow[]) => missingOf(monthsOf({ workflow: 'w', calendar: 'X', year: 2024, gaps: 0, days: some }))
  expect(of(days)).toEqual({ from: '2024-02-29', to: '2024-02-29' })
  expect(of([...days, day('2024-01-05', { is_gap: true })])).toEqual({ from: '2024-01-05', to: '2024-02-29' })
  expect(of([day('2024-02-26', { state: 'SUCCESS' })])).toEqual({})
})

it('picks a range whichever way the mouse goes, and none of a single day', () => {
  expect(spanOf('2024-02-29', '2024-02-27')).toEqual({ from: '2024-02-27', to: '2024-02-29' })
  expect(spanOf('2024-02-27', '2024-02-29')).toEqual({ from: '2024-02-27', to: '2024-02-29' })
  expect(spanOf('2024-02-27', '2024-02-27')).toBeNull()
})
