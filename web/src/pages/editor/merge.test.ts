import { describe, expect, it } from 'vitest'
import { changes, clashes, holdsAll, merged } from './merge'
import type { Doc } from './document'

const base: Doc = { workflow: 'w', title: 'Old', tasks: { a: { job: 'load', retries: 1 }, b: { job: 'check', after: ['a'] } } }
const tasks = (doc: Doc) => doc.tasks as Record<string, Record<string, unknown>>

describe('changes', () => {
  it('are told at the smallest place', () => {
    const after: Doc = { ...base, tasks: { a: { job: 'load', retries: 3 }, b: { job: 'check', after: ['a'] }, c: { job: 'x' } } }
    expect(changes(base, after).map(({ place, before, after: now }) => [place.join('.'), before, now])).toEqual([['tasks.a.retries', 1, 3], ['tasks.c', undefined, { job: 'x' }]])
  })
})

describe('what two people changed', () => {
  it('holds both where they changed different things, even of one task', () => {
    const mine: Doc = { ...base, title: 'Mine', tasks: { a: { job: 'load', retries: 5 }, b: { job: 'check', after: ['a'] }, mine: { job: 'm' } } }
    const theirs: Doc = { ...base, tasks: { a: { job: 'load', retries: 1, timeout: '5m' }, theirs: { job: 't' } } }
    expect(clashes(base, mine, theirs)).toEqual([])
    const both = merged(base, mine, theirs, () => 'mine')
    expect(both.title).toBe('Mine')
    expect(tasks(both)).toEqual({ a: { job: 'load', retries: 5, timeout: '5m' }, theirs: { job: 't' }, mine: { job: 'm' } })
  })

  it('is asked about where they changed the same, and whoever is chosen holds', () => {
    const mine: Doc = { ...base, tasks: { a: { job: 'load', retries: 5 }, b: { job: 'mine', after: ['a'] } } }
    const theirs: Doc = { ...base, tasks: { a: { job: 'load', retries: 9 } } }
    const found = clashes(base, mine, theirs)
    expect(found.map(({ place, mine, theirs }) => [place.join('.'), mine, theirs])).toEqual([['tasks.a.retries', 5, 9], ['tasks.b', { job: 'mine', after: ['a'] }, undefined]])
    expect(tasks(merged(base, mine, theirs, () => 'theirs'))).toEqual({ a: { job: 'load', retries: 9 } })
    expect(tasks(merged(base, mine, theirs, () => 'mine'))).toEqual(tasks(mine))
  })

  it('needs no question where both did the same, or one side holds all of the other', () => {
    const more: Doc = { ...base, title: 'New' }
    expect(clashes(base, more, { ...base, title: 'New' })).toEqual([])
    expect(holdsAll(base, { ...more, domain: 'x' }, more)).toBe(true)
    expect(holdsAll(base, more, { ...more, domain: 'x' })).toBe(false)
  })
})
