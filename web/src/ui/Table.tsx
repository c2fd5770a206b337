// A table of rows that all fit. Thousands of rows are a VirtualList's.
import type { Key, KeyboardEvent, ReactNode } from 'react'
import './table.css'

export interface Column<T> {
  /** Stands in the head; also names the column for the one who hears it. */
  head: ReactNode
  cell: (row: T) => ReactNode
  /** A CSS width; without one the column shares what is left. */
  width?: string
  right?: boolean
  /** Left out on narrow screens. */
  wide?: boolean
}

interface Props<T> {
  label: string
  columns: Column<T>[]
  rows: T[]
  keyOf: (row: T) => Key
  /** Enter or a click beside links and buttons. */
  open?: (row: T) => void
  selected?: (row: T) => boolean
}

export function Table<T>({ label, columns, rows, keyOf, open, selected }: Props<T>) {
  const onKey = (event: KeyboardEvent<HTMLTableRowElement>, row: T) => {
    if (event.key === 'Enter' && event.target === event.currentTarget) open?.(row)
  }
  return (
    <div className="table-box">
      <table className="table" aria-label={label}>
        <thead>
          <tr>
            {columns.map((c, i) => <th key={i} scope="col" style={c.width ? { width: c.width } : undefined} className={look(c)}>{c.head}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={keyOf(row)}
              data-row
              data-open={open ? true : undefined}
              aria-selected={selected?.(row)}
              tabIndex={open ? 0 : undefined}
              onKeyDown={open && ((event) => onKey(event, row))}
              onClick={open && ((event) => { if (!(event.target as Element).closest('a,button,input,label,select')) open(row) })}
            >
              {columns.map((c, i) => <td key={i} className={look(c)}>{c.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const look = (c: { right?: boolean; wide?: boolean }) => [c.right && 'num', c.wide && 'wide-only'].filter(Boolean).join(' ') || undefined
