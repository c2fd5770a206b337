import { expect, it } from 'vitest'
import { somePossible, verbsOf, whyNot } from './verbs'
import { en } from './words'

const run = (state: string, more: object = {}) => ({ state, saga_state: 'NONE', wait_reason: null, counts: {}, ...more })

it('offers what the state allows, and a retry as soon as something has failed', () => {
  expect(verbsOf(run('RUNNING'))).toEqual(['pause', 'terminate'])
  expect(verbsOf(run('RUNNING', { counts: { FAILED: 1 } }))).toEqual(['retry', 'pause', 'terminate'])
  expect(verbsOf(run('SUCCESS'))).toEqual([])
})

it('says why the server would refuse what the state allows', () => {
  expect(whyNot('retry', run('FAILED', { counts: { FAILED: 1 } }), en)).toBeNull()
  expect(whyNot('retry', run('TERMINATED'), en)).toBe(en.not.nothing)
  expect(whyNot('retry', run('FAILED', { saga_state: 'COMPENSATED', counts: { FAILED: 1 } }), en)).toBe(en.not.undone)
  expect(whyNot('retry', run('FAILED', { saga_state: 'COMPENSATION_FAILED' }), en)).toBeNull()
  expect(whyNot('pause', run('RUNNING', { wait_reason: 'is being terminated' }), en)).toBe(en.not.ending)
  const queued = 'queued behind instance 7 of workflow eod, which is RUNNING'
  expect(whyNot('start', run('READY', { wait_reason: queued }), en)).toBe(queued)
  expect(whyNot('start', run('READY', { wait_reason: 'held until it is resumed' }), en)).toBeNull()
})

it('offers for many runs what one of them can do', () => {
  expect(somePossible('pause', ['SUCCESS', 'PAUSED'])).toBe(false)
  expect(somePossible('pause', ['SUCCESS', 'RUNNING'])).toBe(true)
  expect(somePossible('resume', ['READY'])).toBe(true)
  expect(somePossible('retry', ['SUCCESS'])).toBe(false)
})
