// The draft as a list: each task below what it waits for.
import { useMemo } from 'react'
import type { Fault } from '../../api/problem'
import { useOne } from '../../api/queries'
import { useWords } from '../../words'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Table } from '../../ui/Table'
import { inOrder, parentsIn, placeOf, tasksOf, type Body, type Doc } from './document'
import { useDraftState } from './useDraft'
import { words } from './words'

export function TaskList({ chosen, choose }: { chosen: string | null; choose: (key: string) => void }) {
  const { document, saved } = useDraftState()
  // Every key that is typed comes by here; the rows change only with what they show.
  return useMemo(() => <Rows document={document} faults={saved.faults} chosen={chosen} choose={choose} />, [document, saved.faults, chosen])
}

function Rows({ document, faults, chosen, choose }: { document: Doc; faults: Fault[]; chosen: string | null; choose: (key: string) => void }) {
  const w = useWords(words)
  const tasks = tasksOf(document)
  const keys = inOrder(document)
  if (keys.length === 0) return <Empty title={w.emptyTitle}>{w.emptyMore}</Empty>
  const faulty = new Map<string, number>()
  for (const fault of faults) {
    const { task } = placeOf(fault.where, keys)
    if (task !== null) faulty.set(task, (faulty.get(task) ?? 0) + 1)
  }
  return (
    <Table
      label={w.tasks} rows={keys} keyOf={(key) => key} open={choose} selected={(key) => key === chosen}
      columns={[
        { head: w.task, cell: (key) => <span className="row"><strong>{key}</strong>{faulty.has(key) && <Tag tone="bad">{w.faults(faulty.get(key)!)}</Tag>}<span className="muted cut">{textOf(tasks[key]!.title)}</span></span> },
        { head: w.runs, width: '28%', cell: (key) => <Runs of={tasks[key]!} /> },
        { head: w.parent, width: '34%', cell: (key) => <Parents of={tasks[key]!} /> },
      ]}
    />
  )
}

export function Runs({ of: body }: { of: Body }) {
  const w = useWords(words)
  const [kind, name] = runsOf(body)
  const isUnknown = useUnknownJobs()
  if (!name) return <span className="muted">–</span>
  if (kind === 'job' && isUnknown(name)) return <span className="row"><code>{name}</code><Tag tone="held" title={w.unknownJobWhat}>{w.unknownJob}</Tag></span>
  return <span title={w[kind]}>{kind !== 'job' && <span className="muted">{w[kind]} </span>}<code>{name}</code>{body.map !== undefined && <span className="muted"> {w.perItem}</span>}</span>
}

function Parents({ of: body }: { of: Body }) {
  const w = useWords(words)
  const parents = Object.entries(parentsIn(body))
  if (parents.length === 0) return <span className="muted">{w.startsAtOnce}</span>
  return <span className="editor-parents">{parents.map(([key, condition]) => <span key={key}>{key}{condition !== true && <code className="muted" title={JSON.stringify(condition)}> {typeof condition === 'string' ? condition : '…'}</code>}</span>)}</span>
}

/** Tells of a job whether no live daemon knows it; of none before the list is there. */
export function useUnknownJobs(): (job: string | null) => boolean {
  const jobs = useOne<{ job: string; state: string }[]>('/jobs', {}, { every: 30_000 })
  return useMemo(() => {
    const known = jobs.data && new Set(jobs.data.filter((one) => one.state !== 'WITHDRAWN').map((one) => one.job))
    return (job) => Boolean(job && known && !known.has(job))
  }, [jobs.data])
}

/** What a task runs: a job, a task definition or a workflow, and its name. */
export function runsOf(body: Body): ['job' | 'definition' | 'workflow', string] {
  if (body.workflow !== undefined) return ['workflow', textOf(body.workflow)]
  if (body.task !== undefined) return ['definition', textOf(body.task)]
  return ['job', textOf(body.job)]
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value))
