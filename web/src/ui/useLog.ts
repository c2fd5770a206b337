// The lines of a log as far as they have been read: the newest page first, older and newer ones as they are asked for.
import { useCallback, useEffect, useRef, useState } from 'react'
import { ApiProblem, call } from '../api/call'
import type { LineItem, LogPage } from '../api/types'
import { onEvent, useTopic, type LiveEvent } from '../api/stream'
import { Late } from './late'
import { merged } from './logRows'

export interface LogSource {
  /** `/tasks/44040193/log` or `/instances/42/log`. */
  path: string
  fence?: number | null
  /** The least severe level that is shown. */
  level?: string
  /** Only lines with this text; the server searches. */
  q?: string
}

/** As many lines are asked for at once. */
export const PAGE = 500
const LOOK_MS = 5_000

interface Log {
  lines: LineItem[]
  /** All lines of the log, where the server said. */
  total: number | null
  /** What came earlier lies before it; null: nothing did. */
  prev: number | null
  /** What comes later lies after it. */
  next: number
  atEnd: boolean
  busy: boolean
  error: ApiProblem | null
}

const nothing: Log = { lines: [], total: null, prev: 0, next: 0, atEnd: false, busy: true, error: null }

const topicOfLog = (path: string) => path.replace(/^\/tasks\/(\d+)\/log$/, 'log:$1').replace(/^\/instances\/(\d+)\/log$/, 'instance:$1')

/** The lines that an event brings whole; null if they have to be asked for: long ones were cut, or it brings none. */
function linesOf({ kind, data }: LiveEvent): LineItem[] | null {
  const lines = kind === 'log' ? (data.lines as LineItem[]) : []
  return lines.length > 0 && lines.every(({ message }) => !message.endsWith(' …')) ? lines : null
}

/** `live`: new lines may come, so they are looked for while somebody looks. `first`: a line to begin at, else the end. */
export function useLog(source: LogSource, live: boolean, first: number | null = null) {
  const [log, setLog] = useState<Log>(nothing)
  const known = useRef<Log>(nothing)
  const begin = useRef(first)
  const missed = useRef(false)
  const late = useRef(new Late())
  const present = useRef<{ stop: AbortController; busy: boolean }>({ stop: new AbortController(), busy: false })
  // The line that was to be shown, until it has been.
  const [at, setAt] = useState<number | null>(null)
  known.current = log
  begin.current = first
  const { path, fence, level, q } = source

  /** One question at a time; its answer, if there is one. `leap`: to another place of the log, so whatever is on its way is of no use any more. */
  const ask = useCallback(
    async (where: Record<string, string | number>, take: (page: LogPage, before: Log) => Partial<Log>, leap = false): Promise<LogPage | null> => {
      if (leap) {
        late.current = new Late()
        present.current.stop.abort()
        present.current = { stop: new AbortController(), busy: false }
      }
      const mine = present.current
      if (mine.busy) return null
      mine.busy = true
      const { signal } = mine.stop
      setLog((now) => ({ ...now, busy: true }))
      try {
        const { data } = await call<LogPage>(path, { query: { fence, level, q, ...where }, signal })
        if (signal.aborted) return null
        setLog((now) => ({ ...now, ...take(data, now), total: data.lines ?? now.total, busy: false, error: null }))
        return data
      } catch (error) {
        if (!signal.aborted) setLog((now) => ({ ...now, busy: false, error: error instanceof ApiProblem ? error : new ApiProblem(0, String(error)) }))
        return null
      } finally {
        mine.busy = false
      }
    },
    [path, fence, level, q],
  )

  // Of lines that are looked for, a page may be short although there are more: the server looks for a moment only.
  const isNarrow = Boolean(level || q)
  const isOfRun = path.startsWith('/instances/')
  const isLast = (page: LogPage, after: number) => page.items.length === 0 ? page.next === null || page.next === after : !isNarrow && page.items.length < PAGE

  /** Whatever is shown gives way to the end of the log. */
  const end = useCallback(async () => {
    const page = await ask({ tail: PAGE }, (page) => ({ lines: page.items, prev: page.prev, next: page.next ?? 0, atEnd: true }), true)
    if (page !== null) late.current.note(page.items[0]?.id ?? 0, page.next ?? 0, performance.now())
  }, [ask])
  const start = useCallback(
    () => ask({ after: 0, limit: PAGE }, (page) => ({ lines: page.items, prev: null, next: page.next ?? 0, atEnd: isLast(page, 0) }), true),
    [ask, isNarrow],
  )
  const older = useCallback(() => {
    const { prev } = known.current
    if (prev !== null) void ask({ before: prev, limit: PAGE }, (page, now) => ({ lines: merged(page.items, now.lines), prev: page.prev }))
  }, [ask])
  const newer = useCallback(async () => {
    const { next, atEnd } = known.current
    // Tasks of a run write at the same time, so at its end a line may come before others that are there already.
    let after = atEnd && isOfRun ? late.current.from(next, performance.now()) : next
    do {
      const from = after
      const page = await ask({ after: from, limit: PAGE }, (page, now) => {
        const until = page.next ?? from
        return {
          lines: page.items.length > 0 ? merged(now.lines, page.items) : now.lines,
          next: Math.max(now.next, until),
          atEnd: isLast(page, from) || (now.atEnd && until < now.next),
        }
      })
      if (page === null) return
      after = page.next ?? from
      if (!isLast(page, from)) continue
      late.current.note(page.items[0]?.id ?? after, after, performance.now())
      return
    } while (after < next)
  }, [ask, isNarrow, isOfRun])
  /** The lines around one line. */
  const around = useCallback(
    async (id: number) => {
      await ask({ after: Math.max(0, id - 1), limit: PAGE }, (page) => ({ lines: page.items, prev: id, next: page.next ?? id, atEnd: isLast(page, id - 1) }), true)
      await ask({ before: id, limit: PAGE / 2 }, (page, now) => ({ lines: merged(page.items, now.lines), prev: page.prev }))
    },
    [ask, isNarrow],
  )
  // A search goes on until there is a page of hits, or nothing is left to look at.
  useEffect(() => {
    if (isNarrow && !log.busy && !log.error && log.prev !== null && log.lines.length < PAGE) older()
  }, [isNarrow, log.busy, log.error, log.prev, log.lines.length, older])

  useEffect(() => {
    const wanted = begin.current
    setAt(wanted)
    setLog((now) => ({ ...nothing, lines: now.lines }))
    void (wanted === null ? end() : around(wanted))
    return () => present.current.stop.abort()
  }, [end, around])
  const topic = live ? topicOfLog(path) : null
  const isTold = useTopic(topic)
  useEffect(() => {
    if (!topic) return
    return onEvent((event) => {
      const now = known.current
      if (event.topic !== topic || document.hidden) return
      // The page that is on its way may lack what is told now.
      missed.current ||= now.busy
      if (missed.current || !now.atEnd) return
      const lines = isNarrow || fence ? null : linesOf(event)
      if (lines) setLog((old) => ({ ...old, lines: merged(old.lines, lines), next: Math.max(old.next, lines.at(-1)!.id), total: old.total === null ? null : old.total + lines.length }))
      else void newer()
    })
  }, [topic, newer, isNarrow, fence])
  useEffect(() => {
    if (log.busy || !missed.current) return
    missed.current = false
    if (log.atEnd) void newer()
  }, [log.busy, log.atEnd, newer])
  // What came last may not have been told: it has ended, or begins again; and a hidden tab hears nothing.
  useEffect(() => {
    const catchUp = () => {
      if (document.hidden) return
      if (known.current.busy) missed.current = true
      else if (known.current.atEnd) void newer()
    }
    catchUp()
    document.addEventListener('visibilitychange', catchUp)
    return () => document.removeEventListener('visibilitychange', catchUp)
  }, [live, newer])
  useEffect(() => {
    // A run tells of its tasks, but not of their lines.
    if (!live || (isTold && topic?.startsWith('log:'))) return
    const look = () => {
      const { error, atEnd } = known.current
      if (!document.hidden && atEnd && !(error && [401, 403].includes(Math.floor(error.code / 100)))) void newer()
    }
    const timer = setInterval(look, LOOK_MS)
    return () => clearInterval(timer)
  }, [live, newer, isTold, topic])
  return { ...log, atStart: log.prev === null, at, older, newer, start, end, around }
}
