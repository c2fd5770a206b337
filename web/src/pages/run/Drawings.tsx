// The graph, the Gantt chart and the log of a run. Each is asked for alone, and fails alone.
import { useOne } from '../../api/queries'
import type { GraphBox, GraphData, Timeline, TimelineRow } from '../../api/types'
import { Gantt } from '../../draw/Gantt'
import { Graph } from '../../draw/Graph'
import { LogView } from '../../ui/LogView'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import { topicOfRun } from './ids'
import type { RunDetail } from './types'
import { words } from './words'

interface Props {
  run: RunDetail
  live: boolean
  chosen: number | null
  open: (box: GraphBox | TimelineRow) => void
}

export function GraphTab({ run, live, chosen, open }: Props) {
  const w = useWords(words)
  const graph = useOne<GraphData>(`/instances/${run.id}/graph`, {}, { every: live ? 5_000 : false, topic: topicOfRun(run) })
  return (
    <Loaded of={graph} lines={8}>
      {(data) => (
        <>
          {run.state === 'READY' && <p className="run-plan muted">{w.plan}</p>}
          <div className="run-fill"><Graph data={data} chosen={chosen} open={open} label={w.tabs.graph} /></div>
        </>
      )}
    </Loaded>
  )
}

export function GanttTab({ run, live, chosen, open }: Props) {
  const timeline = useOne<Timeline>(`/instances/${run.id}/timeline`, { bins: 200 }, { every: live ? 5_000 : false, topic: topicOfRun(run) })
  return <Loaded of={timeline} lines={8}>{(data) => <div className="run-fill"><Gantt data={data} live={live} chosen={chosen} open={open} /></div>}</Loaded>
}

export function LogTab({ run, live }: { run: RunDetail; live: boolean }) {
  return <LogView path={`/instances/${run.id}/log`} live={live} tasks={run.workflow !== null} file={`${run.workflow ?? run.job ?? 'run'}-${run.id}.log`} />
}
