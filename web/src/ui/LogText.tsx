// Lines of a log: as one text that can be selected and searched, or as rows of which only the visible ones exist.
import { memo, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { LineItem } from '../api/types'
import { count as number } from '../format'
import { useWords } from '../words'
import { fitted } from './columns'
import { attributesText, gutterColumns, hits, levelText, LogRows, shown, TASK_COLUMNS, taskText, TIME_COLUMNS, LEVEL_COLUMNS, toneOf, type Gutter } from './logRows'
import { words } from './logWords'
import { visibleWindow } from './window'

/** Height of a row in pixels; the style sheet has the same. */
export const ROW = 20

export interface LinesProps {
  lines: LineItem[]
  gutter: Gutter
  wrap: boolean
  query: string
  /** The id of the line that is marked. */
  marked: number | null
  whole: ReadonlySet<number>
  timeOf: (line: LineItem) => string
  pick: (line: LineItem) => void
  showWhole: (line: LineItem) => void
}

/** One `<pre>`: select-all, copying and the browser's search work as in a file. */
export const PlainLines = memo(function PlainLines({ lines, gutter, wrap, ...rest }: LinesProps) {
  const indent = gutterColumns(gutter)
  return (
    <pre className="log-text" data-wrap={wrap || undefined} data-tasks={gutter.tasks || undefined} style={{ '--indent': `${indent}ch` } as React.CSSProperties}>
      {lines.map((line) => {
        const { text, hidden } = shown(line.message, rest.whole.has(line.id))
        const more = hidden === 0 ? attributesText(line.attributes) : ''
        return (
          <span key={line.id} className="log-line" data-line={line.id} data-tone={toneOf(line)} data-marked={line.id === rest.marked || undefined}>
            <Before line={line} gutter={gutter} {...rest} />
            <Marked text={text} query={rest.query} />
            {more && <span className="log-more-of">  <Marked text={more} query={rest.query} /></span>}
            {hidden > 0 && <More line={line} hidden={hidden} showWhole={rest.showWhole} />}
          </span>
        )
      })}
    </pre>
  )
})

/** Rows of computed height: nothing is measured but the width of one character. */
export function TallLines({ lines, gutter, wrap, scroll, rows, ...rest }: LinesProps & { scroll: RefObject<HTMLDivElement | null>; rows: LogRows }) {
  const [view, setView] = useState({ top: 0, height: 600 })
  useLayoutEffect(() => {
    const element = scroll.current
    if (!element) return
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    look()
    element.addEventListener('scroll', look, { passive: true })
    const watch = new ResizeObserver(look)
    watch.observe(element)
    return () => {
      element.removeEventListener('scroll', look)
      watch.disconnect()
    }
  }, [scroll, rows])
  const seen = visibleWindow(view.top, view.height, rows.count, ROW, 20)
  const indent = ' '.repeat(gutterColumns(gutter))
  return (
    <div className="log-tall" style={{ height: rows.count * ROW }}>
      <pre className="log-text" style={{ transform: `translateY(${seen.top}px)` }}>
        {rows.slice(seen.from, seen.to).map((row, index) => (
          <span key={seen.from + index} className="log-row" data-line={row.line.id} data-tone={toneOf(row.line)} data-marked={row.line.id === rest.marked || undefined}>
            {row.first ? <Before line={row.line} gutter={gutter} {...rest} /> : indent}
            <Marked text={row.text} query={rest.query} />
            {row.hidden > 0 && <More line={row.line} hidden={row.hidden} showWhole={rest.showWhole} />}
          </span>
        ))}
      </pre>
    </div>
  )
}

function Before({ line, gutter, timeOf, pick }: { line: LineItem; gutter: Gutter; timeOf: (line: LineItem) => string; pick: (line: LineItem) => void }) {
  return (
    <>
      {gutter.times && <span className="log-time" onClick={() => pick(line)}>{fitted(timeOf(line), TIME_COLUMNS)}</span>}
      {gutter.levels && <span className="log-level">{fitted(levelText(line), LEVEL_COLUMNS)}</span>}
      {gutter.tasks && <span className="log-task">{fitted(taskText(line), TASK_COLUMNS - 1)} </span>}
    </>
  )
}

function Marked({ text, query }: { text: string; query: string }) {
  const found = query ? hits(text, query) : []
  if (found.length === 0) return text
  const parts: React.ReactNode[] = []
  let at = 0
  for (const [from, to] of found) {
    parts.push(text.slice(at, from), <mark key={from}>{text.slice(from, to)}</mark>)
    at = to
  }
  return <>{parts}{text.slice(at)}</>
}

function More({ line, hidden, showWhole }: { line: LineItem; hidden: number; showWhole: (line: LineItem) => void }) {
  const w = useWords(words)
  return <button type="button" className="log-more" onClick={() => showWhole(line)}>… {w.cut(number(hidden))}</button>
}

/** Columns of the font that fit into the element's width, and a span that measures one character of it. */
export function useColumns(scroll: RefObject<HTMLDivElement | null>) {
  const ruler = useRef<HTMLSpanElement>(null)
  const [fit, setFit] = useState(100)
  useLayoutEffect(() => {
    const element = scroll.current
    if (!element) return
    const look = () => {
      const one = (ruler.current?.getBoundingClientRect().width ?? 0) / 100
      if (one > 0) setFit(Math.max(20, Math.floor((element.clientWidth - 24) / one)))
    }
    look()
    const watch = new ResizeObserver(look)
    watch.observe(element)
    return () => watch.disconnect()
  }, [scroll])
  return { fit, ruler: <span ref={ruler} aria-hidden className="log-ruler">{'0'.repeat(100)}</span> }
}
