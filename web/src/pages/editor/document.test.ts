import { describe, expect, it } from 'vitest'
import { applied, behind, edgesOf, freeKey, inOrder, parentsIn, placeOf, requestOf, same, type Body, type Doc } from './document'

const doc: Doc = { workflow: 'daily', tasks: { a: { job: 'load' }, b: { job: 'check', after: 'a' }, c: { job: 'report', after: { a: true, b: 'b.output.ok' } } } }
const tasks = (made: Doc) => made.tasks as Record<string, unknown>

describe('an edit', () => {
  it('adds, changes and removes a task, and its edges go with it', () => {
    expect(tasks(applied(doc, { kind: 'add', key: 'd', body: { job: 'x' } })).d).toEqual({ job: 'x' })
    expect(tasks(applied(doc, { kind: 'set', key: 'a', body: { job: 'other' } })).a).toEqual({ job: 'other' })
    expect(tasks(applied(doc, { kind: 'remove', key: 'a' }))).toEqual({ b: { job: 'check' }, c: { job: 'report', after: { b: 'b.output.ok' } } })
  })

  it('renames a task in its place, and edges follow', () => {
    const made = applied(doc, { kind: 'set', key: 'a', body: { job: 'load' }, name: 'fetch' })
    expect(Object.keys(tasks(made))).toEqual(['fetch', 'b', 'c'])
    expect(edgesOf(made).map(({ from, to }) => `${from}>${to}`)).toEqual(['fetch>b', 'fetch>c', 'b>c'])
  })

  it('draws and removes edges as short as a file says them', () => {
    const drawn = applied(doc, { kind: 'edge', from: 'b', to: 'c', condition: true })
    expect(tasks(drawn).c).toEqual({ job: 'report', after: ['a', 'b'] })
    expect(tasks(applied(drawn, { kind: 'unedge', from: 'a', to: 'c' })).c).toEqual({ job: 'report', after: ['b'] })
    expect(tasks(applied(doc, { kind: 'unedge', from: 'a', to: 'b' })).b).toEqual({ job: 'check' })
  })

  it('leaves the document alone where there is nothing to change', () => {
    expect(applied(doc, { kind: 'set', key: 'nobody', body: {} })).toBe(doc)
    expect(applied(doc, { kind: 'edge', from: 'a', to: 'nobody', condition: true })).toBe(doc)
  })

  it('is one call, with what is not a field of its own in settings', () => {
    expect(requestOf({ kind: 'add', key: 'd/1', body: { job: 'x', retries: 2 } })).toEqual({ method: 'POST', path: '/nodes', body: { key: 'd/1', job: 'x', settings: { retries: 2 } } })
    expect(requestOf({ kind: 'set', key: 'd/1', body: { job: 'x' }, name: 'e' })).toEqual({ method: 'PUT', path: '/nodes/d%2F1', body: { job: 'x', key: 'e' } })
    expect(requestOf({ kind: 'unedge', from: 'a/b', to: 'c' }).path).toBe('/edges/a%2Fb:c')
  })
})

describe('the document', () => {
  it('knows what would make a cycle, and the order of tasks', () => {
    expect([...behind(doc, 'b')].sort()).toEqual(['b', 'c'])
    expect(inOrder({ tasks: { z: { after: 'y' }, y: {}, x: {} } })).toEqual(['y', 'x', 'z'])
    expect(inOrder({ tasks: { z: { after: 'y' }, y: { after: 'z' }, x: {} } })).toEqual(['x', 'z', 'y'])
    expect(inOrder(doc)).toEqual(['a', 'b', 'c'])
  })

  it('of thousands of tasks in a row is put in order at once', () => {
    const long: Doc = { tasks: Object.fromEntries(Array.from({ length: 5_000 }, (_, n): [string, Body] => [`t${n}`, n === 0 ? {} : { after: `t${n - 1}` }])) }
    expect([inOrder(long).at(-1), behind(long, 't0').size]).toEqual(['t4999', 5_000])
  })

  it('reads edges in each form', () => {
    expect([parentsIn({ after: 'a' }), parentsIn({ after: ['a', 'b'] }), parentsIn({ after: 3 })]).toEqual([{ a: true }, { a: true, b: true }, {}])
  })

  it('finds a free key, and the task that a fault is of', () => {
    expect([freeKey(doc, 'd'), freeKey(doc, 'a'), freeKey(doc, 'two words')]).toEqual(['d', 'a_2', 'two_words'])
    expect(placeOf('tasks.b.after[0]', ['b', 'b.after'])).toEqual({ task: 'b.after', field: '[0]' })
    expect(placeOf('tasks.b.params.day', ['b'])).toEqual({ task: 'b', field: 'params.day' })
    expect(placeOf('schedule.cron', ['b'])).toEqual({ task: null, field: 'schedule.cron' })
  })

  it('is the same whatever the order of its keys', () => {
    expect(same({ a: 1, b: [2, { c: 3, d: 4 }] }, { b: [2, { d: 4, c: 3 }], a: 1 })).toBe(true)
    expect(same([1, 2], [2, 1])).toBe(false)
  })
})
