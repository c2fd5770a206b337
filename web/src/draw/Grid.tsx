// Tasks as rows, runs as columns: which task fails on which days. A cell leads straight to the attempt that failed.
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react'
import { Link, useLocation } from 'wouter'
import type { GridColumn, GridData, GridRow } from '../api/types'
import { count, duration } from '../format'
import { useSettings } from '../settings'
import { inTenant } from '../tenant'
import { signOf } from '../ui/states'
import { useCommon, useWords } from '../words'
import { begin, gridOf, walk, type Cell, type Place } from './gridModel'
import { words } from './gridWords'
import './grid.css'

const ROW = 26
const BAR = 44

interface Props {
  data: GridData
  label: string
  /** Where a cell leads. */
  to: (run: number, taskId: string | null, task: string) => string
  chosenRow?: string
}

export function Grid({ data, label, to, chosenRow }: Props) {
  const grid = useMemo(() => gridOf(data), [data])
  const box = useRef<HTMLDivElement>(null)
  const [, go] = useLocation()
  const [walked, setPlace] = useState<Place | null>(null)
  const [pointed, setPointed] = useState<Place | null>(null)
  const place = walked && grid.cells[walked[0]]?.[walked[1]] ? walked : begin(grid)
  const lines = useWindowVirtualizer({ count: data.rows.length, estimateSize: () => ROW, overscan: 30, scrollMargin: box.current?.offsetTop ?? 0 })
  const moved = useRef(false)
  // Where not all fit, the newest runs are seen first.
  useLayoutEffect(() => void (box.current!.scrollLeft = box.current!.scrollWidth), [])
  useEffect(() => {
    if (!moved.current) return
    moved.current = false
    lines.scrollToIndex(place[0])
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-at="${place[0]} ${place[1]}"]`)?.focus())
  })
  const onKey = (event: KeyboardEvent) => {
    const next = walk(grid, place, event.key)
    if (event.key.startsWith('Arrow') || event.key === 'Home' || event.key === 'End') {
      event.preventDefault()
      event.stopPropagation()
      moved.current = true
      setPlace(next)
    }
  }
  const onClick = (event: MouseEvent) => {
    const at = (event.target as Element).closest<HTMLAnchorElement>('a[data-at]')
    if (!at || event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    const [r, c] = at.dataset.at!.split(' ').map(Number) as Place
    go(to(grid.columns[c]!.id, grid.cells[r]![c]!.taskId, data.rows[r]!.key))
  }
  const onPoint = (event: { target: EventTarget }) => {
    const at = (event.target as Element).closest<HTMLElement>('[data-at]')?.dataset.at
    setPointed(at ? (at.split(' ').map(Number) as Place) : null)
  }
  const shown = pointed ?? (walked && place)
  const before = lines.getVirtualItems()[0]?.start ?? 0
  return (
    <div className="grid-box">
      <Told grid={grid} rows={data.rows} place={shown} />
      <div ref={box} className="grid" role="grid" aria-label={label} aria-rowcount={data.rows.length + 1} aria-colcount={grid.columns.length + 1} onKeyDown={onKey} onClick={onClick} onMouseOver={onPoint} onMouseLeave={() => setPointed(null)} onFocus={onPoint}>
        <Heads columns={grid.columns} longest={grid.longest} lit={shown?.[1]} />
        <div role="rowgroup" style={{ height: lines.getTotalSize(), paddingTop: before - lines.options.scrollMargin }}>
          {lines.getVirtualItems().map(({ index }) => (
            <Row key={index} row={data.rows[index]!} at={index} cells={grid.cells[index]!} columns={grid.columns} to={to} focus={place[0] === index ? place[1] : -1} chosen={data.rows[index]!.key === chosenRow} />
          ))}
        </div>
      </div>
    </div>
  )
}

const dayOf = (run: GridColumn) => (run.business_date ?? run.created_at).slice(0, 10)
const monthOf = (run: GridColumn | undefined) => run && dayOf(run).slice(0, 7)

function Heads({ columns, longest, lit }: { columns: GridColumn[]; longest: number; lit?: number }) {
  const w = useWords(words)
  const common = useCommon()
  const { lang } = useSettings()
  const month = useMemo(() => new Intl.DateTimeFormat(lang, { timeZone: 'UTC', month: 'short' }), [lang])
  return (
    <div role="row" className="grid-heads">
      <span role="columnheader" className="grid-name grid-scale muted"><small>{w.longest(duration(longest, common))}</small>{w.task}</span>
      {columns.map((c, i) => {
        const word = common.state[c.state] ?? c.state
        return (
          <span key={c.id} role="columnheader" className="grid-head" data-lit={i === lit || undefined}>
            <Link href={`/instances/${c.id}`} tabIndex={-1} aria-label={w.column(c.id, word)} title={`#${c.id} ${c.business_date ?? ''} ${word} ${duration(c.duration_s, common)}`}>
              <i data-tone={signOf(c.state).tone} data-state={c.state} style={{ height: c.duration_s == null ? BAR * 0.5 : Math.max(4, Math.round((c.duration_s / longest) * BAR)) }} />
            </Link>
            <span className="grid-date" aria-hidden>{dayOf(c).slice(8)}{monthOf(columns[i - 1]) !== monthOf(c) && <b>{month.format(Date.parse(dayOf(c)))}</b>}</span>
          </span>
        )
      })}
    </div>
  )
}

interface RowProps {
  row: GridRow
  at: number
  cells: (Cell | null)[]
  columns: GridColumn[]
  to: Props['to']
  focus: number
  chosen: boolean
}

const Row = memo(function Row({ row, at, cells, columns, to, focus, chosen }: RowProps) {
  const w = useWords(words)
  const common = useCommon()
  return (
    <div role="row" className="grid-row" style={{ height: ROW }} aria-rowindex={at + 2} data-chosen={chosen || undefined}>
      <span role="rowheader" className="grid-name cut" title={row.title ? `${row.key}: ${row.title}` : row.key}>
        {row.key}{row.kind !== 'task' && <span className="muted"> {w.kind[row.kind] ?? row.kind}</span>}
      </span>
      {cells.map((cell, c) => (
        <span key={c} role="gridcell" className="grid-cell">
          {cell && (
            <a
              href={inTenant(`.${to(columns[c]!.id, cell.taskId, row.key)}`)} data-at={`${at} ${c}`} data-tone={signOf(cell.state).tone} data-state={cell.state} data-some={(cell.failed ?? 0) > 0 || undefined}
              tabIndex={c === focus ? 0 : -1} aria-label={w.cell(row.key, columns[c]!.id, common.state[cell.state] ?? cell.state)}
            />
          )}
        </span>
      ))}
    </div>
  )
})

/** What the cell says that is pointed at: one line, always in the same place. */
function Told({ grid, rows, place }: { grid: ReturnType<typeof gridOf>; rows: GridRow[]; place: Place | null }) {
  const w = useWords(words)
  const common = useCommon()
  const cell = place && grid.cells[place[0]]?.[place[1]]
  const run = place && grid.columns[place[1]]
  if (!cell || !run) return <p className="grid-told muted">{w.hint}</p>
  return (
    <p className="grid-told">
      <strong>{rows[place[0]]!.key}</strong>
      <span data-tone={signOf(cell.state).tone} className="grid-word">{common.state[cell.state] ?? cell.state}</span>
      {cell.rows !== null && <span>{w.many(count(cell.rows), count(cell.failed))}</span>}
      <span className="muted">#{run.id}{run.business_date && ` · ${run.business_date}`} · {run.trigger_type} · {common.state[run.state] ?? run.state} {duration(run.duration_s, common)}</span>
    </p>
  )
}
