import { expect, it } from 'vitest'
import { brief, differences, filterOf, isNarrow, linkOf, queryOf } from './entries'

const NOW = Date.parse('2026-11-30T08:03:00Z')
const asked = (address: string, zone = 'UTC') => queryOf(filterOf(new URLSearchParams(address)), NOW, zone)

it('asks for a week, for all of it, or for days of the zone', () => {
  expect(asked('')).toMatchObject({ from: '2026-11-23T08:00:00.000Z', actor: '' })
  expect(asked('since=all&actor=ann')).toEqual({ actor: 'ann', action: '', object_type: '', object: '' })
  expect(asked('since=dates&from=2026-11-27&to=2026-11-27', 'Asia/Shanghai')).toMatchObject({ from: '2026-11-26T16:00:00.000Z', to: '2026-11-27T16:00:00.000Z' })
  expect(asked('since=dates&from=nonsense')).toMatchObject({ from: '', to: '' })
})

it('asks for an object only together with its type', () => {
  expect(asked('object=ann').object).toBe('')
  expect(asked('object=ann&object_type=principal').object).toBe('ann')
  expect([isNarrow(filterOf(new URLSearchParams('since=30d'))), isNarrow(filterOf(new URLSearchParams('action=LOGIN')))]).toEqual([false, true])
})

it('tells what differs field by field', () => {
  expect(differences({ before: { role: 'read', kind: 'human' }, after: { role: 'admin', kind: null } })).toEqual([
    { field: 'role', from: 'read', to: 'admin' }, { field: 'kind', from: 'human', to: undefined },
  ])
  expect(differences({ before: null, after: null })).toEqual([])
  expect([brief('a'), brief({ a: 1 }), brief('x'.repeat(80)).length]).toEqual(['a', '{"a":1}', 60])
})

it('leads to the object', () => {
  const link = (object_type: string, object: string) => linkOf({ object_type, object })
  expect(link('workflow', 'reference/adr')).toBe('/workflows/reference%2Fadr')
  expect(link('version', 'reference/adr:3')).toBe('/workflows/reference%2Fadr?tab=versions')
  expect(link('task', '44040193')).toBe('/instances/42?task=44040193')
  expect([link('task', 'x'), link('command', '7')]).toEqual([null, null])
})
