// The rows of a run: any of a hundred thousand at once, by state, by task, by label; failures can be retried from here.
import { RotateCcw } from 'lucide-react'
import { useMemo, useState } from 'react'
import { useQuerySet, useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import type { GraphData, InstanceDetail, TaskItem } from '../../api/types'
import { count as number, inZone } from '../../format'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Filters } from '../../ui/Panel'
import { Problem } from '../../ui/Problem'
import { StateButtons } from '../../ui/StateButtons'
import { ORDER } from '../../ui/states'
import { Time, Took } from '../../ui/Time'
import { VirtualList, type ListColumn } from '../../ui/VirtualList'
import { useCommon, useWords } from '../../words'
import { nameOf } from './ids'
import { useTasks } from './useTasks'
import { words } from './words'

interface Props {
  run: InstanceDetail
  open: (task: TaskItem) => void
  chosen: string | null
}

export function Tasks({ run, open, chosen }: Props) {
  const w = useWords(words)
  const common = useCommon()
  const [state] = useQueryState('state')
  const [node] = useQueryState('node')
  const [q] = useQueryState('q')
  const set = useQuerySet()
  const [jump, setJump] = useState<number | undefined>()
  const [asking, setAsking] = useState(false)
  const may = useMay('operate')
  const rows = useTasks(run, { state, node, q })
  const columns = useMemo(() => columnsOf(w), [w])
  const clear = () => set({ state: '', node: '', q: '' })
  const failed = run.counts.FAILED ?? 0
  if (run.state === 'READY') return <Empty title={w.list.waitsForStart} />
  return (
    <div className="run-fill run-tasks">
      <Filters>
        <StateButtons label={common.field.state} states={ORDER.filter((one) => run.counts[one])} counts={run.counts} chosen={[state]} turn={(one) => set({ state: state === one ? '' : one })} />
        {run.workflow && <Nodes run={run} node={node} choose={(value) => set({ node: value })} />}
        <SearchText value={q} hint={w.list.label} write={(value) => set({ q: value })} />
        {!state && !q && (
          <form className="jump" onSubmit={(event) => { event.preventDefault(); const to = Number(new FormData(event.currentTarget).get('row')); if (to > 0) setJump(Math.min(to, rows.count) - 1) }}>
            <input className="input" name="row" inputMode="numeric" placeholder={w.list.jump} aria-label={w.list.jump} size={8} />
          </form>
        )}
        {(state || node || q) && <Button look="bare" onClick={clear}>{common.do.clear}</Button>}
        <span className="grow" />
        {may && failed > 0 && <Button icon={RotateCcw} onClick={() => setAsking(true)}>{w.list.retryFailed(number(failed))}</Button>}
      </Filters>
      {rows.error && <Problem error={rows.error} again={rows.again} />}
      {!rows.error && !rows.pending && rows.count === 0 ? <Empty title={w.list.none} onClear={clear} /> : (
        <VirtualList label={w.tabs.tasks} columns={columns} count={rows.count} rowAt={rows.at} need={rows.need} open={open} chosen={(task) => task.task_id === chosen} at={jump} />
      )}
      {asking && (
        <Act title={w.ask.retryFailed} word={w.retry} onClose={() => setAsking(false)} action={{ path: `/instances/${run.id}/retry`, body: {} }}>
          <p>{w.what.retry(number(failed + (run.counts.CANCELLED ?? 0)))}</p>
        </Act>
      )}
    </div>
  )
}

function columnsOf(w: typeof words.en): ListColumn<TaskItem>[] {
  return [
    { head: '', width: '4.2rem', right: true, wide: true, cell: (_, index) => <span className="muted">{number(index + 1)}</span> },
    { head: w.list.state, width: '10rem', cell: (task) => <Chip state={task.state} /> },
    { head: w.list.task, width: 'minmax(9rem, 1.3fr)', cell: (task) => <span className="runs-name" title={nameOf(task)}>{nameOf(task)}</span> },
    { head: w.list.attempt, width: '2.5rem', right: true, wide: true, cell: (task) => (task.attempt > 1 ? task.attempt : <span className="muted">{task.attempt || ''}</span>) },
    { head: w.list.took, width: '6rem', right: true, cell: (task) => <Took seconds={task.duration_s} since={task.started_at} until={task.finished_at} /> },
    { head: w.ended, width: '6rem', right: true, wide: true, cell: (task) => <Time at={task.finished_at} /> },
    { head: w.list.note, width: 'minmax(8rem, 2.2fr)', wide: true, cell: (task) => <Note task={task} /> },
  ]
}

function Note({ task }: { task: TaskItem }) {
  const { zone } = useSettings()
  const text = task.wait_reason ? inZone(task.wait_reason, zone) : task.progress_message ?? task.error
  if (!text) return null
  return <span className={task.wait_reason ? 'runs-wait' : task.state === 'FAILED' ? 'runs-error' : 'muted'} title={text}>{text.split('\n')[0]}</span>
}

/** The tasks of the workflow, to look at the rows of one. */
function Nodes({ run, node, choose }: { run: InstanceDetail; node: string; choose: (node: string) => void }) {
  const w = useWords(words)
  const graph = useOne<GraphData>(`/instances/${run.id}/graph`, {}, { every: false })
  const keys = (graph.data?.boxes ?? []).flatMap((box) => box.fold?.tasks ?? [box.key])
  if (keys.length > 300) return <SearchText value={node} hint={w.list.task} write={choose} />
  return (
    <select className="input" aria-label={w.list.task} value={node} onChange={(event) => choose(event.target.value)}>
      <option value="">{w.list.node}</option>
      {node && !keys.includes(node) && <option value={node}>{node}</option>}
      {keys.map((key) => <option key={key} value={key}>{key}</option>)}
    </select>
  )
}

function SearchText({ value, hint, write }: { value: string; hint: string; write: (value: string) => void }) {
  const [text, setText] = useState(value)
  return (
    <form onSubmit={(event) => { event.preventDefault(); write(text.trim()) }}>
      <input key={value} className="input filter-text" type="search" placeholder={hint} aria-label={hint} defaultValue={value} onChange={(event) => { setText(event.target.value); if (event.target.value === '') write('') }} onBlur={() => text.trim() !== value && write(text.trim())} />
    </form>
  )
}
