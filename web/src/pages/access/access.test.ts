import { expect, it } from 'vitest'
import { agentOf, listed, quotasOf, rolesUpTo, standingOf, summed, typedOf, type UsageItem } from './access'

const NOW = Date.parse('2026-11-30T08:00:00Z')

it('says of a token whether it still opens anything, and whether it soon will not', () => {
  const of = (expires_at: string, revoked_at: string | null = null) => standingOf({ expires_at, revoked_at }, NOW)
  expect(of('2027-02-28T00:00:00Z')).toBe('good')
  expect(of('2026-12-05T00:00:00Z')).toBe('soon')
  expect(of('2026-11-30T07:59:00Z')).toBe('expired')
  expect(of('2027-02-28T00:00:00Z', '2026-11-01T00:00:00Z')).toBe('revoked')
})

it('offers no role above one of one’s own', () => {
  expect(rolesUpTo('operate')).toEqual(['read', 'submit', 'operate'])
  expect(rolesUpTo('none')).toEqual([])
})

it('reads lists however they are typed', () => {
  expect(listed(' cn_*, us/*\n\n10.0.0.0/8 ')).toEqual(['cn_*', 'us/*', '10.0.0.0/8'])
})

it('names a browser and a system where it knows them', () => {
  expect(agentOf('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36')).toBe('Chrome · Linux')
  expect(agentOf('curl/8.5.0')).toBe('curl')
  expect([agentOf('something'), agentOf(null)]).toEqual([null, null])
})

it('makes quotas of what was typed, and back', () => {
  expect(quotasOf({ open_instances: '50', workflows: ' ', allowed_jobs: 'a, b*' })).toEqual({ open_instances: 50, allowed_jobs: ['a', 'b*'] })
  expect(typedOf([{ name: 'allowed_jobs', value: ['a', 'b*'], used: null, set_by: null, updated_at: '' }])).toEqual({ allowed_jobs: 'a, b*' })
})

it('adds usage up by workflow and by day', () => {
  const of = (day: string, workflow: string, task_s: number): UsageItem => ({ day, workflow, instances: 1, tasks: 2, failed: 0, task_s, cpu_s: 1, log_mb: 0 })
  const usage = [of('2026-11-28', 'a', 1), of('2026-11-29', 'a', 2), of('2026-11-29', 'b', 9)]
  expect(summed(usage, 'workflow').map(({ name, instances, task_s }) => [name, instances, task_s])).toEqual([['b', 1, 9], ['a', 2, 3]])
  expect(summed(usage, 'day').map(({ name, tasks }) => [name, tasks])).toEqual([['2026-11-29', 4], ['2026-11-28', 2]])
})
