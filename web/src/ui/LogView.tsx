// The log of a task or of a run: the end first, older lines above it, search by the server, keys as in a pager.
import { ArrowDownToLine, Clock, Copy as CopyIcon, Download, Filter, TriangleAlert, WrapText } from 'lucide-react'
import { useCallback, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import { useQueryState } from '../api/address'
import { text as fetchText } from '../api/call'
import type { LineItem } from '../api/types'
import { count as number, zoneName } from '../format'
import { useSettings } from '../settings'
import { useWords } from '../words'
import { Button } from './Button'
import { PlainLines, ROW, TallLines, useColumns } from './LogText'
import { gutterColumns, hits, isPlain, levelText, lineText, LogRows, nextLine, taskText, toneOf } from './logRows'
import { words } from './logWords'
import { Problem } from './Problem'
import { useKept } from './useKept'
import { useLog } from './useLog'
import './logView.css'

interface Props {
  path: string
  fence?: number | null
  /** New lines may come. */
  live: boolean
  /** Lines of several tasks: each says whose it is. */
  tasks?: boolean
  /** The name of a downloaded file. */
  file: string
}

export function LogView({ path, fence, live, tasks = false, file }: Props) {
  const w = useWords(words)
  const [lineText_, setLine] = useQueryState('line')
  const marked = lineText_ ? Number(lineText_) : null
  const [typed, setTyped] = useState('')
  const query = useLater(typed.trim(), 250)
  const [only, setOnly] = useState(false)
  const [level, setLevel] = useState('')
  const [times, setTimes] = useKept('log.times', true)
  const [wrap, setWrap] = useKept('log.wrap', true)
  const [whole, setWhole] = useState<ReadonlySet<number>>(new Set())
  const log = useLog({ path, fence, level, q: only ? query : '' }, live, marked)
  const scroll = useRef<HTMLDivElement>(null)
  const { fit, ruler } = useColumns(scroll)
  const timeOf = useLineTime()
  const later = useDeferredValue(log.lines)
  // The first lines do not wait until nothing else is to be drawn.
  const lines = later.length === 0 ? log.lines : later
  const plain = useMemo(() => isPlain(lines), [lines])
  const gutter = useMemo(() => ({ times, levels: lines.some((line) => line.level), tasks }), [times, tasks, lines])
  const rows = useMemo(() => (plain ? null : new LogRows(lines, wrap ? fit - gutterColumns(gutter) : 0, whole)), [plain, lines, wrap, fit, gutter, whole])
  const place = usePlace(scroll, lines, rows, log)

  // A log that is here as a whole is marked; of a longer one the server finds the lines.
  const complete = log.atStart && log.atEnd
  const search = (value: string) => {
    if (typed === '' && value !== '') setOnly(!complete)
    if (value === '') setOnly(false)
    setTyped(value)
  }
  const errors = useMemo(() => lines.filter(isError).length, [lines])
  const errorCount = number(errors) + (complete ? '' : '+')
  const found = useMemo(() => (query ? lines.filter((line) => hits(lineText(line, true).text, query).length > 0).length : 0), [lines, query])
  const pick = useCallback(
    (line: LineItem) => {
      setLine(String(line.id))
      if (only) setOnly(false)
    },
    [only, setLine],
  )
  const showWhole = useCallback((line: LineItem) => setWhole((old) => new Set(old).add(line.id)), [])
  const go = (step: 1 | -1, wanted: (line: LineItem) => boolean) => {
    const from = marked === null ? (step === 1 ? -1 : lines.length) : lines.findIndex((line) => line.id === marked)
    const index = nextLine(lines, from, step, wanted)
    const line = lines[index]
    if (!line) return
    setLine(String(line.id))
    place.to(line.id)
  }
  const isHit = (line: LineItem) => query !== '' && hits(lineText(line, true).text, query).length > 0
  const asText = () => lines.map((line) => [times && timeOf(line), levelText(line), tasks && taskText(line), lineText(line, true).text].filter(Boolean).join(' ')).join('\n')
  const copy = () => void navigator.clipboard?.writeText(asText())
  const end = () => {
    setLine('')
    place.end()
  }

  const before = useRef('')
  const key = (event: KeyboardEvent) => {
    if ((event.target as Element).closest('input,select') || event.ctrlKey || event.metaKey || event.altKey) return
    const twice = event.key === 'g' && before.current === 'g'
    before.current = twice ? '' : event.key
    const acts: Record<string, () => void> = {
      G: end, End: end, Home: place.start, n: () => go(1, isHit), N: () => go(-1, isHit), e: () => go(1, isError), E: () => go(-1, isError),
      w: () => setWrap(!wrap), y: copy, g: () => { if (twice) place.start() },
    }
    const act = acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const shared = { lines, gutter, wrap, query, marked, whole, timeOf, pick, showWhole }
  return (
    <div className="log" onKeyDown={key}>
      <div className="log-tools">
        <input className="input log-search" type="search" value={typed} placeholder={w.find} aria-label={w.search} onChange={(event) => search(event.target.value)}
          onKeyDown={(event) => { if (event.key === 'Enter') { event.preventDefault(); go(event.shiftKey ? -1 : 1, isHit) } }} />
        {query !== '' && (
          <>
            <span className="muted" role="status">{log.busy && found === 0 ? '…' : found === 0 ? w.noHit : found === 1 ? w.oneHit : w.hits(number(found) + (only && !log.atStart ? '+' : ''))}</span>
            <Button icon={Filter} look="bare" aria-pressed={only} title={only ? w.everything : w.onlyHits} onClick={() => setOnly(!only)} />
          </>
        )}
        <select className="input" value={level} aria-label={w.level} onChange={(event) => setLevel(event.target.value)}>
          <option value="">{w.all}</option>
          {['INFO', 'WARNING', 'ERROR'].map((one) => <option key={one} value={one}>{w.from(one)}</option>)}
        </select>
        <span className="grow muted num log-sum cut" role="status">{summary(log, lines.length, live, w)}</span>
        <Button icon={TriangleAlert} look="bare" title={w.nextError} aria-label={errors > 0 ? `${w.nextError}: ${errorCount} ${w.errors(errorCount)}` : w.nextError} onClick={() => go(1, isError)}>
          {errors > 0 ? <>{errorCount}<span className="log-word"> {w.errors(errorCount)}</span></> : undefined}
        </Button>
        <Button icon={Clock} look="bare" aria-pressed={times} title={w.times} onClick={() => setTimes(!times)} />
        <Button icon={WrapText} look="bare" aria-pressed={wrap} title={w.wrap} onClick={() => setWrap(!wrap)} />
        <Button icon={CopyIcon} look="bare" title={w.copy} onClick={copy} />
        <Button icon={Download} look="bare" title={w.download} onClick={() => void download(path, fence, file)} />
        <Button icon={ArrowDownToLine} look="bare" title={w.end} onClick={end} />
      </div>
      {log.error && <Problem error={log.error} again={() => void log.end()} />}
      <div ref={scroll} className="log-scroll" tabIndex={0} role="region" aria-label={w.label} onScroll={place.onScroll}>
        {ruler}
        {lines.length === 0 && !log.busy && !log.error && <p className="log-empty">{query || level ? w.noMatch : live ? w.notYet : w.printed}</p>}
        {rows ? <TallLines {...shared} scroll={scroll} rows={rows} /> : <PlainLines {...shared} />}
      </div>
    </div>
  )
}

const isError = (line: LineItem) => toneOf(line) === 'error'

type Log = ReturnType<typeof useLog>

function summary(log: Log, shown: number, live: boolean, w: typeof words.en): string {
  if (shown === 0) return ''
  const all = log.total !== null && log.total > shown ? w.some(number(shown), number(log.total)) : log.atStart && log.atEnd ? w.lines(number(shown)) : w.lines(`${number(shown)}+`)
  return live && log.atEnd ? `${all} · ${w.following}` : all
}

/** Keeps the eye where it is: at the end while lines come, at its line while older ones are put above it. */
function usePlace(scroll: React.RefObject<HTMLDivElement | null>, lines: LineItem[], rows: LogRows | null, log: Log) {
  const stuck = useRef(true)
  const before = useRef({ first: -1, height: 0 })
  // Where to look once its lines are there: a line by its id, the beginning or the end.
  const wanted = useRef<number | 'start' | 'end' | null>(null)
  // Lines are drawn a moment after they came; until then what is on the screen says nothing about them.
  const isDrawn = lines === log.lines
  const to = (id: number) => {
    const element = scroll.current
    if (!element) return
    stuck.current = false
    if (rows) {
      const index = lines.findIndex((line) => line.id === id)
      if (index >= 0) element.scrollTop = rows.rowOf(index) * ROW - element.clientHeight / 2
    } else element.querySelector(`[data-line="${id}"]`)?.scrollIntoView({ block: 'center' })
  }
  useLayoutEffect(() => {
    const element = scroll.current
    if (!element) return
    const height = element.scrollHeight
    const first = lines[0]?.id ?? -1
    const goal = wanted.current
    if (goal === 'end' && isDrawn && log.atEnd) {
      stuck.current = true
      wanted.current = null
    }
    if (goal === 'start' ? first !== before.current.first : lines.some((line) => line.id === goal)) {
      goal === 'start' ? (element.scrollTop = 0) : to(goal as number)
      // Lines before it are still on their way: then it is put into the middle once more.
      if (first !== goal || log.atStart) wanted.current = null
    } else if (stuck.current) element.scrollTop = height
    else if (first < before.current.first && lines.some((line) => line.id === before.current.first)) element.scrollTop += height - before.current.height
    before.current = { first, height }
  }, [lines, rows])
  useEffect(() => {
    if (log.at === null) return
    wanted.current = log.at
    stuck.current = false
  }, [log.at])
  const onScroll = () => {
    const element = scroll.current
    if (!element || !isDrawn) return
    const below = element.scrollHeight - element.scrollTop - element.clientHeight
    stuck.current = below < ROW && log.atEnd
    if (log.busy) return
    if (element.scrollTop < 600 && !log.atStart) log.older()
    else if (below < 600 && !log.atEnd) void log.newer()
  }
  // A place that was reached while something was on its way: there is no other scrolling to it.
  useEffect(() => {
    if (log.error) wanted.current = null
    else if (!log.busy) onScroll()
  }, [log.busy, isDrawn])
  const end = () => {
    wanted.current = 'end'
    if (!log.atEnd) return void log.end()
    if (!isDrawn) return
    wanted.current = null
    scroll.current?.scrollTo({ top: scroll.current.scrollHeight })
  }
  const start = () => {
    stuck.current = false
    if (log.atStart) return scroll.current?.scrollTo({ top: 0 })
    wanted.current = 'start'
    void log.start()
  }
  return { to, onScroll, end, start }
}

/** `14:03:05.123` in the chosen zone. */
function useLineTime() {
  const { zone } = useSettings()
  return useMemo(() => {
    const format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zoneName(zone), hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3,
    })
    return (line: LineItem) => format.format(new Date(line.at))
  }, [zone])
}

/** A value that has been the same for `ms`. */
function useLater<T>(value: T, ms: number): T {
  const [later, setLater] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return later
}

async function download(path: string, fence: number | null | undefined, file: string) {
  const all = await fetchText(path, { fence })
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([all], { type: 'text/plain' }))
  link.download = file
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
