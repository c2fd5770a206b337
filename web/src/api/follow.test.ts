import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { followStream } from './follow'
import type { LiveEvent } from './stream'

const told: ((event: LiveEvent) => void)[] = []
vi.mock('./stream', () => ({
  onEvent: (ear: (event: LiveEvent) => void) => told.push(ear),
  onBreak: () => undefined,
  isCarried: () => true,
}))

let early = false
vi.mock('./ahead', () => ({ isEarly: () => early }))

beforeEach(() => {
  vi.useFakeTimers()
  early = false
})
afterEach(() => {
  vi.useRealTimers()
  told.length = 0
})

/** A page that shows batch 5; each answer is given by hand. */
function shown(topic: unknown) {
  const client = new QueryClient()
  const answers: ((data: { state: string }) => void)[] = []
  followStream(client)
  new QueryObserver(client, { queryKey: ['/batches/5', {}], queryFn: () => new Promise<{ state: string }>((give) => answers.push(give)), meta: { topic } }).subscribe(() => undefined)
  return answers
}
const event: LiveEvent = { kind: 'snapshot', topic: 'batch:5', data: { batch: { state: 'DONE' } } }

it.each([['its own', 'batch:5'], ['what was answered', () => 'batch:5']])('what is told while an answer is on its way is asked for again; the topic is told by %s', async (_, topic) => {
  const answers = shown(topic)
  await vi.advanceTimersByTimeAsync(10)
  for (const ear of told) ear(event)
  answers[0]!({ state: 'RUNNING' })
  await vi.advanceTimersByTimeAsync(3_000)
  expect(answers).toHaveLength(2)
  answers[1]!({ state: 'DONE' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(answers).toHaveLength(2)
})

it('a snapshot that comes after the answer has it asked for again once', async () => {
  const answers = shown('batch:5')
  answers[0]!({ state: 'RUNNING' })
  await vi.advanceTimersByTimeAsync(300)
  for (const ear of told) ear(event)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(answers).toHaveLength(2)
})

it('what was told before the first answer was taken up, which may have been asked ahead, is asked for again once', async () => {
  early = true
  const client = new QueryClient()
  followStream(client)
  await vi.advanceTimersByTimeAsync(10)
  for (const ear of told) ear(event)
  let asked = 0
  new QueryObserver(client, { queryKey: ['/batches/5', {}], queryFn: async () => ({ state: String(++asked) }), meta: { topic: 'batch:5' } }).subscribe(() => undefined)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toBe(2)
})
