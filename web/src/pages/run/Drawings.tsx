// The graph, the Gantt chart and the log of a run. Each is asked for alone, and fails alone.
import { useMemo } from 'react'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import type { Box, GraphData, InstanceDetail, Timeline, TimelineRow } from '../../api/types'
import { Gantt } from '../../draw/Gantt'
import { Graph } from '../../draw/Graph'
import { behind } from '../../draw/graphModel'
import { LogView } from '../../ui/LogView'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import { topicOfRun } from './ids'
import { words } from './words'

interface Props {
  run: InstanceDetail
  live: boolean
  chosen: number | null
  open: (box: Box | TimelineRow) => void
  /** The task that is about to run again, with all behind it. */
  again?: string | null
}

export function GraphTab({ run, live, chosen, open, again }: Props) {
  const w = useWords(words)
  const [all, setAll] = useQueryState('all')
  const unfolded = all !== ''
  const graph = useOne<GraphData>(`/instances/${run.id}/graph`, unfolded ? { fold: 'none' } : {}, { every: live ? 5_000 : false, topic: topicOfRun(run), keep: true })
  const marked = useMemo(() => (again && graph.data ? behind(graph.data, again) : null), [again, graph.data])
  return (
    <Loaded of={graph} lines={8}>
      {(data) => (
        <>
          {run.state === 'READY' && <p className="run-plan muted">{w.plan}</p>}
          <div className="run-fill"><Graph data={data} chosen={chosen} open={open} label={w.tabs.graph} unfolded={unfolded} unfold={(on) => setAll(on ? '1' : '')} marked={marked} /></div>
        </>
      )}
    </Loaded>
  )
}

export function GanttTab({ run, live, chosen, open }: Props) {
  const timeline = useOne<Timeline>(`/instances/${run.id}/timeline`, { bins: 200 }, { every: live ? 5_000 : false, topic: topicOfRun(run) })
  return <Loaded of={timeline} lines={8}>{(data) => <div className="run-fill"><Gantt data={data} live={live} chosen={chosen} open={open} /></div>}</Loaded>
}

export function LogTab({ run, live }: { run: InstanceDetail; live: boolean }) {
  return <LogView path={`/instances/${run.id}/log`} live={live} tasks={run.workflow !== null} file={`${run.workflow ?? run.job ?? 'run'}-${run.id}.log`} />
}
