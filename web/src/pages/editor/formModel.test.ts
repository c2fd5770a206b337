import { describe, expect, it } from 'vitest'
import { words } from '../../ui/formWords'
import { fieldsOf } from '../../ui/schemaFields'
import { bodyFrom, typedFrom } from './formModel'
import { TASK_ELSEWHERE, taskParts } from './parts'
import { words as editorWords } from './words'

const params = fieldsOf({ type: 'object', properties: { day: { type: 'string' }, rows: { type: 'integer' }, dry: { type: 'boolean' } }, required: ['day'] })
const parts = taskParts(params, editorWords.en)
const body = { job: 'load', after: ['a'], params: { rows: 5, other: [1] }, retry_delay: 30, limits: { vendor: 1 }, odd: { x: 1 } }
const typed = () => typedFrom(parts, body, TASK_ELSEWHERE)
const read = (now: ReturnType<typeof typed>) => bodyFrom(parts, body, now, TASK_ELSEWHERE, words.en)

describe('the form of a task', () => {
  it('changes nothing that nobody has touched, however it is written', () => {
    expect(read(typed())).toEqual({ body, faults: [] })
  })

  it('changes one field, and keeps params that the schema does not know', () => {
    const now = typed()
    expect(read({ ...now, params: { ...now.params, day: '{{ business_date }}' } }).body.params).toEqual({ rows: 5, other: [1], day: '{{ business_date }}' })
    expect(read({ ...now, failure: { ...now.failure, retries: '3' } }).body).toEqual({ ...body, retries: 3 })
  })

  it('drops what was emptied', () => {
    const now = typed()
    expect(read({ ...now, place: { ...now.place, limits: '' } }).body).not.toHaveProperty('limits')
    expect(read({ ...now, params: { day: '', rows: '', dry: '' } }).body.params).toEqual({ other: [1] })
  })

  it('keeps the former value where something cannot be read, and says so', () => {
    const now = typed()
    const { body: made, faults } = read({ ...now, params: { ...now.params, rows: '5x', day: 'today' } })
    expect([made.params, faults]).toEqual([{ rows: 5, other: [1], day: 'today' }, [{ path: 'params.rows', message: 'is not a whole number' }]])
  })

  it('shows whatever it has no field for as JSON', () => {
    const now = typed()
    expect(now.more).toEqual({ rest: JSON.stringify({ odd: { x: 1 } }, null, 2) })
    expect(read({ ...now, more: { rest: '{"odd": 2}' } }).body).toEqual({ ...body, odd: 2 })
    expect(read({ ...now, more: { rest: '{' } }).body).toEqual(body)
    expect(read({ ...now, more: { rest: '' } }).body).not.toHaveProperty('odd')
  })
})
