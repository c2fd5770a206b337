import { expect, it } from 'vitest'
import { filterOf, isEmpty, queryOf, toggled, whereOf } from './filters'

it('reads what the address says, and nothing else', () => {
  const filter = filterOf(new URLSearchParams('state=FAILED&tab=x&workflow=%20cn_&since=24h'))
  expect(filter).toMatchObject({ state: 'FAILED', workflow: 'cn_', since: '24h', name: '' })
  expect(isEmpty(filter)).toBe(false)
  expect(isEmpty(filterOf(new URLSearchParams('task=5')))).toBe(true)
})

it('looks for a workflow from its beginning, or as it is written with a star', () => {
  const of = (workflow: string) => queryOf(filterOf(new URLSearchParams({ workflow }))).workflow
  expect([of('cn_'), of('cn_*_eod'), of('')]).toEqual(['cn_*', 'cn_*_eod', ''])
})

it('gives a batch only what is set', () => {
  const where = (text: string) => whereOf(filterOf(new URLSearchParams(text)))
  expect(where('state=FAILED')).toEqual({ state: 'FAILED' })
  expect(where('state=FAILED,TERMINATED&workflow=cn_')).toEqual({ state: ['FAILED', 'TERMINATED'], workflow: 'cn_*' })
  expect([where('name=x&state=FAILED'), where('')]).toEqual([null, null])
})

it('adds a state and takes it away again', () => {
  expect(toggled('', 'FAILED')).toBe('FAILED')
  expect(toggled('FAILED', 'RUNNING')).toBe('FAILED,RUNNING')
  expect(toggled('FAILED,RUNNING', 'FAILED')).toBe('RUNNING')
})
