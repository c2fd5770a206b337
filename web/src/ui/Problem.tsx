// What went wrong, what helps, and a way to try again. A part of a page fails alone.
import { TriangleAlert } from 'lucide-react'
import { Component, type ReactNode } from 'react'
import { ApiProblem } from '../api/call'
import { usePerson } from '../api/me'
import { duration } from '../format'
import { useCommon, useNow } from '../words'
import { Button } from './Button'
import './problem.css'

interface Props {
  error: Error
  again?: () => void
}

export function Problem({ error, again }: Props) {
  const w = useCommon()
  const me = usePerson()
  const api = error instanceof ApiProblem ? error : null
  const known = api ? (api.code === 0 ? w.problem.network : w.codes[api.code]) : undefined
  return (
    <div className="problem" role="alert">
      <TriangleAlert aria-hidden size={18} />
      <div className="stack grow">
        <p><strong>{known ?? w.problem.title}</strong> {error.message && <span>{error.message}</span>}</p>
        {api && api.errors.length > 0 && (
          <ul>
            {api.errors.map((fault, i) => (
              <li key={i}>{fault.where && <code>{fault.where}</code>} {fault.message}</li>
            ))}
          </ul>
        )}
        {api?.code === 40301 && me && <p className="muted">{w.problem.role(me.tenant)}</p>}
        {api?.request && <p className="muted">{w.problem.request} <code>{api.request}</code></p>}
      </div>
      {again && <Button onClick={again}>{w.do.again}</Button>}
    </div>
  )
}

/** What `useOne` gives: shows the data if there are any, however old; the problem if there are none. */
interface Asked<T> {
  data: T | undefined
  error: Error | null
  isPending: boolean
  dataUpdatedAt: number
  refetch: () => unknown
}

export function Loaded<T>({ of, children, lines = 6, className = '' }: { of: Asked<T>; children: (data: T) => ReactNode; lines?: number; className?: string }) {
  if (of.data !== undefined) {
    return (
      <>
        {of.error && <Stale at={of.dataUpdatedAt} error={of.error} again={() => void of.refetch()} />}
        <div className={`${className} ${of.error ? 'stale' : ''}`.trim() || undefined}>{children(of.data)}</div>
      </>
    )
  }
  return of.error ? <Problem error={of.error} again={() => void of.refetch()} /> : <Waiting lines={lines} />
}

function Stale({ at, error, again }: { at: number; error: Error; again: () => void }) {
  const w = useCommon()
  const now = useNow()
  return (
    <div className="stale-bar" role="status">
      <span className="grow">{w.problem.stale(duration((now - at) / 1000, w))} {error.message && <span className="muted">({error.message})</span>}</span>
      <Button look="bare" onClick={again}>{w.do.again}</Button>
    </div>
  )
}

/** Grey lines in the place of what is on its way; invisible for the first fifth of a second. */
export function Waiting({ lines = 6 }: { lines?: number }) {
  const w = useCommon()
  return (
    <div className="waiting" role="status" aria-label={w.time.loading}>
      {Array.from({ length: lines }, (_, i) => <span key={i} style={{ width: `${92 - ((i * 37) % 45)}%` }} />)}
    </div>
  )
}

/** A part that fails to draw takes nothing else with it. */
export class Fence extends Component<{ children: ReactNode; name: string }, { error: Error | null; name: string }> {
  override state = { error: null as Error | null, name: this.props.name }
  static getDerivedStateFromError = (error: Error) => ({ error })
  static getDerivedStateFromProps(props: { name: string }, state: { name: string }) {
    return props.name === state.name ? null : { error: null, name: props.name }
  }
  override render() {
    return this.state.error ? <Crash error={this.state.error} /> : this.props.children
  }
}

function Crash({ error }: { error: Error }) {
  const w = useCommon()
  return <Problem error={new Error(`${w.problem.crash} ${error.message}`)} again={() => location.reload()} />
}
