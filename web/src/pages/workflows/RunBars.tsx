// The last runs of a workflow as bars, oldest on the left: height is duration, colour and sign are state.
import { useLocation } from 'wouter'
import { duration } from '../../format'
import { signOf } from '../../ui/states'
import { useCommon, useWords } from '../../words'
import type { RunInShort } from './types'
import { words } from './words'

const HEIGHT = 22

export function RunBars({ runs, places = 14 }: { runs: RunInShort[]; places?: number }) {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  if (runs.length === 0) return <span className="muted">{w.neverRan}</span>
  const longest = Math.max(...runs.map((run) => run.duration_s ?? 0), 1)
  const shown = [...runs].reverse()
  const summary = shown.map((run) => common.state[run.state] ?? run.state).join(', ')
  return (
    <span className="run-bars" role="img" aria-label={`${w.runs}: ${summary}`}>
      {Array.from({ length: Math.max(0, places - shown.length) }, (_, i) => <i key={`none${i}`} className="run-none" />)}
      {shown.map((run) => (
        <i
          key={run.id} data-tone={signOf(run.state).tone} data-state={run.state}
          style={{ height: Math.max(4, Math.round(((run.duration_s ?? longest * 0.6) / longest) * HEIGHT)) }}
          title={w.runTitle(run.id, run.business_date ?? run.created_at.slice(0, 10), common.state[run.state] ?? run.state, duration(run.duration_s, common))}
          onClick={(event) => { event.stopPropagation(); go(`/instances/${run.id}`) }}
        />
      ))}
      <small className="muted" aria-hidden>{w.longest(duration(longest, common))}</small>
    </span>
  )
}
