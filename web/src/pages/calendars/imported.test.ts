import { expect, it } from 'vitest'
import { importOf, stemOf } from './imported'

const about = { name: ' desk ', timezone: 'Asia/Shanghai', title: '', last: '' }

it('sends a list of days with what is said of it, and nothing that is not', () => {
  const text = '2026-01-05\n2026-01-06\n'
  expect(importOf({ ...about, text })).toEqual({ name: 'desk', body: { csv: text, timezone: 'Asia/Shanghai' } })
  expect(importOf({ ...about, text, title: 'our desk', last: '2026-12-31' }).body).toEqual({ csv: text, timezone: 'Asia/Shanghai', title: 'our desk', last: '2026-12-31' })
})

it('sends a document as the calendar that it names', () => {
  expect(importOf({ ...about, text: ' {"calendar": "DESK"}' })).toEqual({ name: 'DESK', body: { document: { calendar: 'DESK' } } })
  expect(importOf({ ...about, text: '{}' }).name).toBe('')
  expect(() => importOf({ ...about, text: '{"calendar": ' })).toThrow(SyntaxError)
})

it('names a calendar as its file is called', () => {
  expect([stemOf('desk.csv'), stemOf('desk')]).toEqual(['desk', 'desk'])
})
