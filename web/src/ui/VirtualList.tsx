// A list of any length: rows of one height, of which only the visible ones are in the page. Keys walk, Enter opens.
import { memo, useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { contentHeight, moved, scrollFor, visibleWindow } from './window'
import './virtualList.css'

export interface ListColumn<T> {
  head: ReactNode
  cell: (row: T, index: number) => ReactNode
  /** A grid track, `6rem` or `minmax(8rem, 2fr)`. */
  width: string
  right?: boolean
  /** Left out on narrow screens. */
  wide?: boolean
}

interface Props<T> {
  label: string
  columns: ListColumn<T>[]
  count: number
  /** Undefined: on its way. Then `need` has been told. */
  rowAt: (index: number) => T | undefined
  need?: (from: number, to: number) => void
  open?: (row: T, index: number) => void
  /** Of the row with the cursor: `x` and others. True: the key is taken. */
  onKey?: (key: string, row: T, index: number, shift: boolean) => boolean
  chosen?: (row: T) => boolean
  /** Shown in this row when it changes: a jump by number. */
  at?: number
  rowPx?: number
  foot?: ReactNode
}

export function VirtualList<T>({ label, columns, count, rowAt, need, open, onKey, chosen, at, rowPx = 32, foot }: Props<T>) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  const [cursor, setCursor] = useState(-1)
  const seen = visibleWindow(view.top, view.height, count, rowPx)

  useEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    const watch = new ResizeObserver(look)
    watch.observe(element)
    look()
    return () => watch.disconnect()
  }, [])
  useEffect(() => need?.(seen.from, seen.to), [need, seen.from, seen.to])

  const show = (index: number, where: 'nearest' | 'center') => {
    const element = box.current
    if (!element) return
    // The head covers the first row, so a row that is shown stands below it.
    element.scrollTop = scrollFor(index, element.scrollTop, element.clientHeight - rowPx, count, rowPx, where)
  }
  useEffect(() => {
    if (at === undefined || at < 0) return
    setCursor(at)
    show(at, 'center')
  }, [at])

  const key = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return
    const row = cursor >= 0 ? rowAt(cursor) : undefined
    const to = moved(event.key, cursor, count, Math.max(1, Math.floor(view.height / rowPx) - 2))
    if (to !== null) {
      setCursor(to)
      show(to, 'nearest')
    } else if (event.key === 'Enter' && row) open?.(row, cursor)
    else if (!(row && onKey?.(event.key, row, cursor, event.shiftKey))) return
    event.preventDefault()
    event.stopPropagation()
  }
  const tracks = { '--tracks': columns.map((c) => c.width).join(' '), '--tracks-narrow': columns.filter((c) => !c.wide).map((c) => c.width).join(' ') }
  return (
    <div
      ref={box}
      className="list"
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-activedescendant={cursor >= 0 ? `row-${cursor}` : undefined}
      tabIndex={0}
      style={tracks as React.CSSProperties}
      onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
      onKeyDown={key}
    >
      <div className="list-head" role="row" aria-rowindex={1}>
        {columns.map((c, i) => <span key={i} role="columnheader" className={look(c)}>{c.head}</span>)}
      </div>
      <div className="list-all" role="presentation" style={{ height: contentHeight(count, rowPx) }}>
        {Array.from({ length: Math.max(0, seen.to - seen.from) }, (_, i) => {
          const index = seen.from + i
          const row = rowAt(index)
          const selected = row !== undefined && chosen ? chosen(row) : undefined
          return <Line key={index} {...{ index, row, columns, open, selected, rowPx }} top={seen.top + i * rowPx} cursor={index === cursor} take={setCursor} />
        })}
      </div>
      {foot}
    </div>
  )
}

interface LineProps<T> {
  index: number
  row: T | undefined
  columns: ListColumn<T>[]
  open?: (row: T, index: number) => void
  selected?: boolean
  rowPx: number
  /** Pixels from the top of the scrolled content: a row that stays is neither rendered nor painted again. */
  top: number
  cursor: boolean
  take: (index: number) => void
}

const Line = memo(LineView) as typeof LineView

function LineView<T>({ index, row, columns, open, selected, rowPx, top, cursor, take }: LineProps<T>) {
  const click = (event: React.MouseEvent) => {
    take(index)
    if (row !== undefined && !(event.target as Element).closest('a,button,input,label,select')) open?.(row, index)
  }
  return (
    <div
      id={`row-${index}`}
      role="row"
      className="list-row"
      data-row
      data-open={open ? true : undefined}
      data-cursor={cursor || undefined}
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ height: rowPx, top }}
      onClick={click}
    >
      {columns.map((c, i) => (
        <span key={i} role="gridcell" className={look(c)}>{row === undefined ? <i className="list-wait" /> : c.cell(row, index)}</span>
      ))}
    </div>
  )
}

const look = <T,>(c: ListColumn<T>) => ['cut', c.right && 'num', c.wide && 'wide-only'].filter(Boolean).join(' ')
