// What pages have asked for follows the stream: each event changes it, and a stream that breaks off leaves it with its age.
import { focusManager, type Query, type QueryClient } from '@tanstack/react-query'
import { isEarly } from './ahead'
import { alike, ASK, patched, summed, type Asked, type InstanceEvent } from './patches'
import { isCarried, onBreak, onEvent, type LiveEvent } from './stream'
import type { InstanceDetail } from './types'

/** The topic that tells of a query: its name, or by what has been answered. */
export type TopicOf = string | null | ((data: any) => string | null)
export const topicOf = (topic: TopicOf | undefined, data: unknown): string | null =>
  topic === undefined ? null : typeof topic === 'function' ? (data === undefined ? null : topic(data)) : topic

const GAP_MS = 2_000
/** Answers that take the server longer are asked for less often. */
const SLOW_MS = 5_000

/** From now on events change what `client` holds. */
export function followStream(client: QueryClient) {
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  const soon = (query: Query, gapMs: number) => {
    if (timers.has(query.queryHash)) return
    const waitMs = Math.max(0, query.state.dataUpdatedAt + gapMs - Date.now())
    timers.set(query.queryHash, setTimeout(() => {
      timers.delete(query.queryHash)
      // A hidden tab asks when it is looked at again.
      void client.invalidateQueries({ queryKey: query.queryKey, exact: true, refetchType: focusManager.isFocused() ? 'active' : 'none' }, { cancelRefetch: false })
    }, waitMs))
  }
  const again = (query: Query) => soon(query, /\/timeline|^\/workflows/.test(query.queryKey[0] as string) ? SLOW_MS : GAP_MS)
  const begun = new WeakMap<Query, number>()
  const toldAt = new Map<string, number>()
  onEvent((event) => {
    toldAt.set(event.topic, performance.now())
    const now = compared(client, event)
    for (const query of client.getQueryCache().findAll()) {
      const { data } = query.state
      if (data === undefined || topicOf(query.meta?.topic as TopicOf, data) !== event.topic) continue
      // Nobody looks at it now; it is asked for when somebody does.
      if (!query.isActive() || !focusManager.isFocused()) {
        query.invalidate()
        continue
      }
      const [path, asked] = query.queryKey as [string, Asked]
      const next = patched(path, asked ?? {}, data, now)
      if (next === ASK) again(query)
      else if (next !== data) client.setQueryData(query.queryKey, next)
    }
  })
  // What was told while an answer was on its way may be missing in it.
  client.getQueryCache().subscribe((change) => {
    if (change.type !== 'updated') return
    const { action, query } = change
    // The first question may have been asked before anyone listened.
    if (action.type === 'fetch') begun.set(query, isEarly() && query.state.dataUpdateCount === 0 ? 0 : performance.now())
    if (action.type !== 'success' || action.manual) return
    const topic = topicOf(query.meta?.topic as TopicOf, action.data)
    if (topic !== null && (toldAt.get(topic) ?? 0) > (begun.get(query) ?? Infinity)) again(query)
  })
  onBreak((kind) => {
    if (kind === 'resync') void client.invalidateQueries()
    else for (const query of told(client)) client.setQueryData(query.queryKey, query.state.data, { updatedAt: Date.now() })
  })
}

/** What was up to date as long as the stream was there. */
const told = (client: QueryClient) =>
  client.getQueryCache().findAll({ type: 'active' }).filter(({ meta, state }) => state.error === null && isCarried(topicOf(meta?.topic as TopicOf, state.data)))

/** A snapshot does not say what has changed; it is told by what was shown. */
function compared(client: QueryClient, event: LiveEvent): LiveEvent {
  if (event.kind !== 'snapshot' || !event.topic.startsWith('instance:')) return event
  const data = event.data as unknown as InstanceEvent
  const shown = client.getQueryData<InstanceDetail>([`/instances/${event.topic.slice(9)}`, {}])
  const same = shown && shown.state === data.instance.state && alike(shown.counts, summed(data.counts))
  return { ...event, data: { ...event.data, changed: same ? [] : null } }
}
