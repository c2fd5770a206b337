// A run over time: a row for each node, a map as the number of its items that ran. Plain SVG; idle stretches are folded.
import { Milestone, Rows3, ScanLine, ZoomIn, ZoomOut } from 'lucide-react'
import { useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type WheelEvent } from 'react'
import type { Timeline, TimelineRow } from '../api/types'
import { count as number, duration, zoneName } from '../format'
import { useSettings } from '../settings'
import { Button } from '../ui/Button'
import { Empty } from '../ui/Empty'
import { signOf } from '../ui/states'
import { useKept } from '../ui/useKept'
import { visibleWindow } from '../ui/window'
import { useCommon, useNow, useWords } from '../words'
import { busySpans, densityPath, ganttRow, inOrder, instant, type GanttRow } from './ganttRows'
import { axis, foldable, panned, ticks, tickText, timeAt, xOf, zoomed, type Axis } from './time'
import { words } from './words'
import './gantt.css'

const ROW = 30
const HEAD = 26
const NAMES = 210

interface Props {
  data: Timeline
  /** It has not ended: what runs, runs until now. */
  live: boolean
  chosen?: number | null
  open?: (row: TimelineRow) => void
}

export function Gantt({ data, live, chosen, open }: Props) {
  const w = useWords(words)
  const common = useCommon()
  const ticking = useNow()
  const now = live ? Math.max(ticking, Date.parse(data.to)) : Date.parse(data.to)
  const { lang, zone } = useSettings()
  const [critical, setCritical] = useKept('gantt.critical', false)
  const [fold, setFold] = useKept('gantt.fold', true)
  const [view, setView] = useState<[number, number] | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const [size, setSize] = useState({ width: 900, height: 400, top: 0 })
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => setSize((old) => ({ ...old, width: element.clientWidth, height: element.clientHeight }))
    look()
    const watch = new ResizeObserver(look)
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  const rows = useMemo(() => inOrder(data.rows), [data.rows])
  const from = Math.min(Date.parse(data.from), ...rows.map((row) => instant(row.ready_at) ?? instant(row.started_at) ?? Infinity))
  const to = Math.max(now, Date.parse(data.to), from + 1000)
  const [left, right] = view ?? [from, to]
  const width = Math.max(120, size.width - NAMES - 16)
  const of = useMemo(() => axis(left, right, width, fold ? foldable(busySpans(rows, now), left, right) : []), [left, right, width, fold, rows, now])
  const marks = useMemo(() => ticks(of, zoneName(zone)), [of, zone])
  if (rows.length === 0) return <Empty title={w.nothing} />

  const zoom = (factor: number, at = (left + right) / 2) => setView(near(zoomed([left, right], factor, at, [from, to]), [from, to]))
  const pan = (share: number) => setView(near(panned([left, right], (right - left) * share, [from, to]), [from, to]))
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const acts: Record<string, () => void> = {
      '+': () => zoom(1.6), '=': () => zoom(1.6), '-': () => zoom(1 / 1.6), '0': () => setView(null), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), c: () => setCritical(!critical),
    }
    const act = acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const wheel = (event: WheelEvent) => {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / width / 2)
    else if (event.ctrlKey || event.metaKey) zoom(event.deltaY < 0 ? 1.25 : 0.8, timeAt(of, event.clientX - (box.current?.getBoundingClientRect().left ?? 0) - NAMES))
  }
  const seen = visibleWindow(Math.max(0, size.top - HEAD), size.height, rows.length, ROW)
  return (
    <div className="gantt" onKeyDown={key}>
      <div className="gantt-tools">
        <Legend hasSteps={rows.some((row) => row.bins)} />
        <span className="grow" />
        <Button icon={Milestone} look="bare" aria-pressed={critical} title={w.criticalWhat} onClick={() => setCritical(!critical)}>{w.critical}</Button>
        <Button icon={Rows3} look="bare" aria-pressed={fold} title={w.foldIdle} onClick={() => setFold(!fold)} />
        <Button icon={ZoomOut} look="bare" title={w.out} onClick={() => zoom(1 / 1.6)} />
        <Button icon={ZoomIn} look="bare" title={w.in} onClick={() => zoom(1.6)} />
        <Button icon={ScanLine} look="bare" title={w.whole} disabled={view === null} onClick={() => setView(null)} />
      </div>
      <div ref={box} className="gantt-scroll" tabIndex={0} role="region" aria-label={w.gantt} onWheel={wheel} onScroll={(event) => { const top = event.currentTarget.scrollTop; setSize((old) => ({ ...old, top })) }}>
        <div className="gantt-head" style={{ height: HEAD }}>
          <span className="gantt-name muted">{w.task}</span>
          <svg width={width} height={HEAD} aria-hidden>
            {marks.ticks.map((tick) => <text key={tick.at} x={tick.x} y={17} data-day={tick.day || undefined}>{tickText(tick, marks.step, zoneName(zone), lang)}</text>)}
          </svg>
        </div>
        <div className="gantt-all" style={{ height: rows.length * ROW }}>
          <svg className="gantt-grid" width={width} height={rows.length * ROW} style={{ left: NAMES }} aria-hidden>
            {marks.ticks.map((tick) => <line key={tick.at} x1={tick.x} x2={tick.x} y1={0} y2={rows.length * ROW} data-day={tick.day || undefined} />)}
            {of.pieces.filter((piece) => piece.folded).map((piece) => (
              <g key={piece.from} className="gantt-idle">
                <rect x={piece.x0} width={piece.x1 - piece.x0} height={rows.length * ROW}><title>{w.idle(duration((piece.to - piece.from) / 1000, common))}</title></rect>
                <text transform={`translate(${(piece.x0 + piece.x1) / 2 + 4} 8) rotate(90)`}>{w.idle(duration((piece.to - piece.from) / 1000, common))}</text>
              </g>
            ))}
            {live && now <= right && <line className="gantt-now" x1={xOf(of, now)} x2={xOf(of, now)} y1={0} y2={rows.length * ROW} />}
          </svg>
          <ul style={{ transform: `translateY(${seen.top}px)` }}>
            {rows.slice(seen.from, seen.to).map((row) => (
              <Line key={`${row.node}-${row.kind}`} of={of} width={width} row={ganttRow(row, of, now)} span={[Date.parse(data.from), Date.parse(data.to)]} faint={critical && !row.critical} chosen={row.node === chosen} open={open} />
            ))}
          </ul>
        </div>
      </div>
    </div>
  )
}

// The whole is no view of its own, so that it grows while the run goes on.
const near = (view: [number, number], [from, to]: [number, number]): [number, number] | null => (view[0] <= from + 1 && view[1] >= to - 1 ? null : view)

interface LineProps {
  row: GanttRow
  of: Axis
  width: number
  span: [number, number]
  faint: boolean
  chosen: boolean
  open?: (row: TimelineRow) => void
}

function Line({ row: drawn, of, width, span, faint, chosen, open }: LineProps) {
  const w = useWords(words)
  const common = useCommon()
  const { row } = drawn
  const { tone, icon: Icon } = signOf(row.state)
  const said = (ms: number | null) => (ms === null ? '' : duration(ms / 1000, common))
  const most = row.bins ? Math.max(0, ...row.bins) : 0
  const what = [
    `${row.key}${row.count > 1 ? ` ×${number(row.count)}` : ''} · ${common.state[row.state] ?? row.state}`,
    drawn.waitedMs !== null && w.waited(said(drawn.waitedMs)),
    drawn.ranMs !== null ? (row.finished_at ? w.ran : w.runs)(said(drawn.ranMs)) : w.notBegun,
    row.p50_s !== null && w.usual(duration(row.p50_s, common)),
    most > 1 && w.most(number(most)),
    drawn.late && w.late,
  ].filter(Boolean).join('\n')
  const ranEnd = drawn.ran ? drawn.ran.x + drawn.ran.width : 0
  const end = Math.max(ranEnd, drawn.usual ? drawn.usual.x + drawn.usual.width : 0)
  const full = end > width - 70
  const inside = full && (drawn.ran?.width ?? 0) > 70
  // Behind all that is drawn; where that is too far right: at the bar's end, before the bar, or right behind it.
  const took = !full ? end + 6 : inside ? ranEnd - 6 : drawn.ran && drawn.ran.x >= 70 ? drawn.ran.x - 6 : null
  return (
    <li className="gantt-row" data-tone={tone} data-state={row.state} data-faint={faint || undefined} data-chosen={chosen || undefined} style={{ height: ROW }} title={what} onClick={() => open?.(row)}>
      <button type="button" className="gantt-name">
        <Icon aria-hidden size={13} strokeWidth={2.4} />
        <span className="cut">{row.key}</span>
        {row.count > 1 && <span className="muted">×{number(row.count)}</span>}
        <span className="hidden-text">{what}</span>
      </button>
      <svg width={width} height={ROW} aria-hidden>
        {drawn.waited && <rect className="gantt-waited" x={drawn.waited.x} width={drawn.waited.width} y={14} height={2} />}
        {drawn.usual && <rect className="gantt-usual" x={drawn.usual.x} width={drawn.usual.width} y={4.5} height={21} rx={4} />}
        {row.bins && most > 0 && drawn.ran ? (
          <g transform="translate(0 6)">
            <rect className="gantt-under" x={drawn.ran.x} width={drawn.ran.width} height={18} rx={3} />
            <path className="gantt-dense" d={densityPath(row.bins, span[0], span[1], of, 18)} />
          </g>
        ) : (
          drawn.ran && <rect className="gantt-ran" x={drawn.ran.x} width={drawn.ran.width} y={8} height={14} rx={3} />
        )}
        {row.critical && drawn.ran && <rect className="gantt-critical" x={drawn.ran.x} width={drawn.ran.width} y={26} height={2} />}
        {drawn.ran && <text className={inside ? 'gantt-took gantt-in' : 'gantt-took'} x={took ?? ranEnd + 6} y={19} textAnchor={full && took !== null ? 'end' : 'start'}>{said(drawn.ranMs)}{drawn.late ? ' ▲' : ''}</text>}
      </svg>
    </li>
  )
}

function Legend({ hasSteps }: { hasSteps: boolean }) {
  const w = useWords(words)
  return (
    <span className="gantt-legend muted" aria-hidden>
      <span><svg width="18" height="12"><rect className="gantt-waited" y="5" width="18" height="2" /></svg>{w.legendWaited}</span>
      <span><svg width="18" height="12" data-tone="good"><rect className="gantt-ran" y="1" width="18" height="10" rx="2" /></svg>{w.legendRan}</span>
      {hasSteps && <span><svg width="24" height="12" data-tone="good"><rect className="gantt-under" y="1" width="24" height="10" rx="2" /><path className="gantt-dense" d="M0 11V8H5V3H13V6H19V9H24V11Z" /></svg>{w.legendSteps}</span>}
      <span><svg width="20" height="14"><rect className="gantt-usual" x="1" y="1" width="18" height="12" rx="3" /></svg>{w.legendUsual}</span>
      <span><svg width="18" height="12"><rect className="gantt-critical" y="5" width="18" height="2" /></svg>{w.legendCritical}</span>
    </span>
  )
}
