// The live stream: one tab that somebody looks at holds it for all tabs; a hidden tab neither holds it nor hears of it.
import { useEffect, useSyncExternalStore } from 'react'
import { basePath, tenant } from './call'
import { Leader, SETTLE_MS, type LiveEvent, type Message } from './leader'

export type { LiveEvent } from './leader'

/** Tabs of one tenant share a stream. */
const NAME = `qflowd-stream${basePath}${tenant && `?${tenant}`}`

const tab = Math.random().toString(36).slice(2)
const channel = 'BroadcastChannel' in window ? new BroadcastChannel(NAME) : null
const wanted = new Map<string, number>()
let carried: ReadonlySet<string> = new Set()
const watchers = new Set<() => void>()
const ears = new Set<(event: LiveEvent) => void>()
const breaks = new Set<(kind: Break) => void>()

/** `down`: the stream has broken off. `resync`: events are missing, so what is shown has to be asked for again. */
export type Break = 'down' | 'resync'

const own = () => (document.hidden ? [] : [...wanted.keys()])

function tell(message: Message) {
  channel?.postMessage(message)
  hear(message)
}

function hear(message: Message) {
  if (message.type === 'want') leader?.others.set(message.tab, message.topics)
  if (message.type === 'want' && message.tab !== tab) leader?.changed(true)
  if (message.type === 'who' && !leader) channel?.postMessage({ type: 'want', tab, topics: own() } satisfies Message)
  if (message.type === 'event') for (const ear of ears) ear(message.event)
  if (document.hidden) return
  if (message.type === 'state' && message.topics === null) for (const ear of breaks) ear('down')
  if (message.type === 'state') carry(message.topics ?? [])
  if (message.type === 'resync') for (const ear of breaks) ear('resync')
}
if (channel) channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data)

function carry(topics: readonly string[]) {
  carried = new Set(topics)
  for (const each of watchers) each()
}

// -- what this tab wants

let settling: ReturnType<typeof setTimeout> | undefined
function adjust() {
  settling ??= setTimeout(() => {
    settling = undefined
    const topics = own()
    if (topics.length === 0) resign()
    else stand()
    if (!leader) channel?.postMessage({ type: 'want', tab, topics } satisfies Message)
    leader?.changed()
  }, SETTLE_MS)
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) carry([])
  adjust()
})
window.addEventListener('pagehide', () => {
  channel?.postMessage({ type: 'want', tab, topics: [] } satisfies Message)
  resign()
})
window.addEventListener('pageshow', adjust)

function want(topic: string) {
  wanted.set(topic, (wanted.get(topic) ?? 0) + 1)
  adjust()
  return () => {
    const left = wanted.get(topic)! - 1
    left > 0 ? wanted.set(topic, left) : wanted.delete(topic)
    adjust()
  }
}

/** Have the stream carry a topic while the component is there. Whether it does: if not, the page has to ask by itself. */
export function useTopic(topic: string | null): boolean {
  useEffect(() => (topic === null ? undefined : want(topic)), [topic])
  return useSyncExternalStore(watch, () => isCarried(topic))
}

export const isCarried = (topic: string | null) => topic !== null && carried.has(topic)

function watch(watcher: () => void) {
  watchers.add(watcher)
  return () => void watchers.delete(watcher)
}

/** Every event that a tab is told; a hidden one is told what others look at. */
export function onEvent(ear: (event: LiveEvent) => void) {
  ears.add(ear)
  return () => void ears.delete(ear)
}

export function onBreak(ear: (kind: Break) => void) {
  breaks.add(ear)
  return () => void breaks.delete(ear)
}

// -- who holds it: the tab that has the lock, while somebody looks at it; without locks every tab that is looked at

let leader: Leader | null = null
let stopStanding: AbortController | null = null

function stand() {
  if (stopStanding) return
  const { signal } = (stopStanding = new AbortController())
  const lead = () => new Promise<void>((release) => {
    if (signal.aborted) return release()
    leader = new Leader({ own, tell, post: (message) => channel?.postMessage(message) })
    signal.addEventListener('abort', () => release())
  })
  if (navigator.locks && channel) void navigator.locks.request(NAME, { signal }, lead).catch(() => undefined)
  else void lead()
}

function resign() {
  if (leader) {
    leader.stop()
    // Another tab takes over at once; until it has, each asks by itself.
    channel?.postMessage({ type: 'state', topics: null } satisfies Message)
    carry([])
  }
  leader = null
  stopStanding?.abort()
  stopStanding = null
}
