import { afterEach, beforeEach, expect, it, vi } from 'vitest'

let answers: (() => Promise<Response>)[] = []
const asked: { url: string; key: string | undefined }[] = []
const answer = (status: number, data: unknown, headers: Record<string, string> = {}) => async () =>
  new Response(JSON.stringify({ code: status * 100, message: 'm', data }), { status, headers: { 'Content-Type': 'application/json', ...headers } })
const lost = () => Promise.reject(new TypeError('network'))

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('document', { baseURI: 'http://h/' })
  vi.stubGlobal('location', { origin: 'http://h', search: '' })
  vi.stubGlobal('fetch', (url: string, how: { headers: Record<string, string> }) => {
    asked.push({ url, key: how.headers['Idempotency-Key'] })
    return answers.shift()!()
  })
  asked.length = 0
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
const change = async () => (await import('./call')).change
const pause = { body: { reason: 'r' } }
const there = { Location: '/api/v1/commands/7' }

it('a change that is refused later raises as one that is refused at once', async () => {
  answers = [answer(202, { command_id: 7 }, there), answer(200, { state: 'REJECTED', error: 'it has ended', error_code: 40901 })]
  await expect((await change())('/instances/1/pause', pause)).rejects.toMatchObject({ code: 40901, message: 'it has ended' })
})

it('a look that fails says nothing of the change, which is written', async () => {
  answers = [answer(202, { command_id: 7 }, there), lost, answer(503, null), answer(200, { state: 'DONE' })]
  const done = (await change())('/instances/1/pause', pause)
  await vi.advanceTimersByTimeAsync(5_000)
  expect((await done).data).toEqual({ state: 'DONE' })
  expect(asked.map(({ url }) => url.split('?')[0])).toEqual(['/api/v1/instances/1/pause', ...Array<string>(3).fill('/api/v1/commands/7')])
})

it('what is sent again without an answer has the same key; once it is answered, another', async () => {
  answers = [lost, answer(200, {}), answer(200, {})]
  const send = await change()
  await expect(send('/instances/1/pause', pause)).rejects.toMatchObject({ code: 0 })
  await send('/instances/1/pause', pause)
  await send('/instances/1/pause', pause)
  const [first, second, third] = asked.map(({ key }) => key)
  expect(first).toMatch(/^[0-9a-f]{32}$/)
  expect(second).toBe(first)
  expect(third).not.toBe(first)
})
