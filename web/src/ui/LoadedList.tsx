// A list as `useList` gives it: its rows, what to do where there are none, the problem, and a way to more of them.
import type { ReactNode } from 'react'
import { useCommon } from '../words'
import { Button } from './Button'
import { Loaded } from './Problem'

interface AskedList<T> {
  items: T[] | undefined
  error: Error | null
  pending: boolean
  at: number
  again: () => void
  more: (() => void) | null
  loadingMore: boolean
}

interface Props<T> {
  of: AskedList<T>
  /** Stands there if the list is empty. */
  empty: ReactNode
  children: (items: T[]) => ReactNode
  lines?: number
  /** The page reads on by itself. */
  reads?: boolean
  className?: string
}

export function LoadedList<T>({ of, empty, children, lines, reads = false, className }: Props<T>) {
  const w = useCommon()
  const asked = { data: of.items, error: of.error, isPending: of.pending, dataUpdatedAt: of.at, refetch: of.again }
  return (
    <>
      <Loaded of={asked} lines={lines} className={className}>{(items) => (items.length === 0 ? empty : children(items))}</Loaded>
      {of.more && of.items && !reads && <p className="more"><Button onClick={of.more} disabled={of.loadingMore}>{w.do.more}</Button></p>}
    </>
  )
}
