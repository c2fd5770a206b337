// A progress bar, and a bar of counts by state.
import type { Counts } from '../api/types'
import { count } from '../format'
import { useCommon } from '../words'
import { ORDER, signOf } from './states'
import './bar.css'

/** `value` is 0 to 1; null: not known. */
export function Progress({ value, label }: { value: number | null; label: string }) {
  const percent = value == null ? null : Math.round(Math.min(1, Math.max(0, value)) * 100)
  return (
    <span className="bar" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent ?? undefined} title={percent == null ? label : `${label}: ${percent} %`}>
      <span data-tone="busy" style={{ flexGrow: percent ?? 0 }} />
      <span className="bar-rest" style={{ flexGrow: 100 - (percent ?? 0) }} />
    </span>
  )
}

export function CountsBar({ counts }: { counts: Counts }) {
  const w = useCommon()
  const parts = ORDER.filter((state) => (counts[state] ?? 0) > 0)
  const label = parts.map((state) => `${w.state[state]} ${count(counts[state])}`).join(', ')
  return (
    <span className="bar" role="img" aria-label={label} title={label}>
      {parts.map((state) => <span key={state} data-tone={signOf(state).tone} data-state={state} style={{ flexGrow: counts[state] }} />)}
    </span>
  )
}
