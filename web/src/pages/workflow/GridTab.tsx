// The grid of a workflow, paged back without end.
import { ChevronLeft, ChevronsRight } from 'lucide-react'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import type { GridData } from '../../api/types'
import { Grid } from '../../draw/Grid'
import { Button } from '../../ui/Button'
import { Empty } from '../../ui/Empty'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { words } from './words'

// As many runs as fit beside the names of the tasks.
const COLUMNS = Math.max(14, Math.min(60, Math.floor((window.innerWidth - 460) / 24)))

export function GridTab({ of }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const [before, setBefore] = useQueryState('before')
  const [row] = useQueryState('row')
  const found = useOne<GridData & { more_rows?: number }>(`/workflows/${encodeURIComponent(of.workflow)}/grid`, { limit: COLUMNS, before }, { keep: true, every: before ? false : 5_000, topic: before ? null : 'instances' })
  return (
    <Loaded of={found}>
      {(data) =>
        data.columns.length === 0 ? (
          <Empty title={w.neverRan} code={`qflowd submit ${of.workflow}`}>{w.neverRanMore}</Empty>
        ) : (
          <>
            <Grid data={data} label={w.grid} chosenRow={row} to={(run, taskId) => `/instances/${run}${taskId ? `?task=${taskId}` : ''}`} />
            <div className="row pager">
              {data.before !== null && <Button icon={ChevronLeft} onClick={() => setBefore(String(data.before), true)}>{w.older}</Button>}
              {before && <Button icon={ChevronsRight} onClick={() => setBefore('', true)}>{w.newest}</Button>}
              {(data.more_rows ?? 0) > 0 && <span className="muted">{w.moreRows(data.more_rows!)}</span>}
            </div>
          </>
        )
      }
    </Loaded>
  )
}
