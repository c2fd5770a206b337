import { expect, it } from 'vitest'
import { ApiProblem } from '../../api/problem'
import { refusedAt } from './refused'

const shown = () => true

it('finds the field of each line that the engine says', () => {
  const error = new ApiProblem(42201, 'args.max_active: at most 1000\nargs.window: "x" is no window', [{ where: '', message: 'args.max_active: at most 1000' }, { where: '', message: 'args.window: "x" is no window' }])
  expect(refusedAt(error, shown)).toEqual({ of: { max_active: 'at most 1000', window: '"x" is no window' }, params: [], more: false })
})

it('reads the message where an answer that came later has no list of faults', () => {
  expect(refusedAt(new ApiProblem(42201, 'args.from: 2026-02-01 is after args.to, 2026-01-01'), shown).of).toEqual({ from: '2026-02-01 is after args.to, 2026-01-01' })
})

it('keeps params apart, also one that is called as a field is', () => {
  const error = new ApiProblem(42204, 'params: to: is missing', [{ where: 'params.to', message: 'is missing' }])
  expect(refusedAt(error, shown)).toEqual({ of: {}, params: [{ path: 'to', message: 'is missing' }], more: false })
  expect(refusedAt(error, () => false).more).toBe(true)
})

it('says what stands at no field as a whole', () => {
  expect(refusedAt(new ApiProblem(40901, 'backfill 7 of workflow daily, from 2026-01-05 to 2026-01-09, is open'), shown)).toEqual({ of: {}, params: [], more: true })
  expect(refusedAt(null, shown).more).toBe(false)
})
