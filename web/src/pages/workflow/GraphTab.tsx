// The graph of the version that new runs take.
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import type { GraphData } from '../../api/types'
import { Graph } from '../../draw/Graph'
import { Empty } from '../../ui/Empty'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { words } from './words'

export default function GraphTab({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const [all, setAll] = useQueryState('all')
  const unfolded = all !== ''
  const found = useOne<GraphData>(x.version === null ? null : `/workflows/${encodeURIComponent(x.workflow)}/versions/${x.version}/graph`, unfolded ? { fold: 'none' } : {}, { every: false, keep: true })
  if (x.version === null) return <Empty title={w.noGraph} />
  return <Loaded of={found}>{(data) => <div className="graph-room"><Graph data={data} unfolded={unfolded} unfold={(on) => setAll(on ? '1' : '')} label={`${x.workflow}: ${w.version(x.version!)}`} look="all" /></div>}</Loaded>
}
