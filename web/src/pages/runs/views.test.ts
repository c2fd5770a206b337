import { expect, it } from 'vitest'
import { filterOf } from './filters'
import { filtersOf, queryTextOf, withoutView, withView } from './views'

it('writes filters always alike, and sets all of them', () => {
  const query = queryTextOf(filterOf(new URLSearchParams('since=24h&state=FAILED,PAUSED&tab=x')))
  expect(query).toBe('state=FAILED%2CPAUSED&since=24h')
  expect(filtersOf({ query })).toEqual({ state: 'FAILED,PAUSED', workflow: '', business_date: '', since: '24h', trigger_type: '', name: '' })
})

it('keeps one view a name', () => {
  const views = withView(withView([], { name: 'b', query: 'state=FAILED' }), { name: 'a', query: 'since=1h' })
  expect(views.map((each) => each.name)).toEqual(['a', 'b'])
  expect(withView(views, { name: 'b', query: '' }).find((each) => each.name === 'b')!.query).toBe('')
  expect(withoutView(views, 'a').map((each) => each.name)).toEqual(['b'])
})
