// One task beside the run: its error first, then why it waits, its log, attempts, params and output.
import { Ban, ListRestart, RotateCcw, SkipForward, X } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import type { GraphData, InstanceDetail } from '../../api/types'
import { behind } from '../../draw/graphModel'
import { count as number, inZone, megabytes } from '../../format'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { Progress } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Copy } from '../../ui/Empty'
import { Json } from '../../ui/Json'
import { LogView } from '../../ui/LogView'
import { Loaded } from '../../ui/Problem'
import { ENDED } from '../../ui/states'
import { Time, Took } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { nameOf, topicOfRun } from './ids'
import type { TaskDetail } from './types'
import { taskVerbsOf, type TaskVerb } from './verbs'
import { words } from './words'

interface Props {
  id: string
  run: InstanceDetail
  close: () => void
  /** It was opened because it is the first of so many failures. */
  note: number | null
  showFailures: () => void
  /** Have the graph show what would run again from a task on. */
  mark: (task: string | null) => void
}

export function TaskAside({ id, run, close, note, showFailures, mark }: Props) {
  const w = useWords(words)
  // The stream tells of states, not of progress.
  const every = ENDED.has(run.state) ? undefined : 5_000
  const task = useOne<TaskDetail>(`/tasks/${encodeURIComponent(id)}`, { tail: 1 }, { every: every ?? false, also: every, topic: topicOfRun(run) })
  return (
    <aside className="run-aside" aria-label={task.data ? nameOf(task.data) : w.task}>
      <header className="aside-head">
        <div className="grow">
          {note !== null && (
            <p className="aside-note">
              {note === 1 ? w.onlyFailure : w.firstOf(number(note))} {note > 1 && <button type="button" className="link" onClick={showFailures}>{w.allFailures}</button>}
            </p>
          )}
          <h2 className="cut" title={task.data && nameOf(task.data)}>{task.data ? nameOf(task.data) : w.task}</h2>
        </div>
        {task.data && <Chip state={task.data.state} />}
        <Button icon={X} look="bare" title={w.closeTask} onClick={close} />
      </header>
      <div className="aside-body"><Loaded of={task} lines={5}>{(data) => <Inside task={data} run={run} mark={mark} />}</Loaded></div>
    </aside>
  )
}

function Inside({ task, run, mark }: { task: TaskDetail; run: InstanceDetail; mark: Props['mark'] }) {
  const w = useWords(words)
  const common = useCommon()
  const { zone } = useSettings()
  // By fence: after a retry by hand attempts are numbered from 1 again.
  const [fence, setFence] = useQueryState('attempt')
  const chosen = task.attempts.find((one) => String(one.fence) === fence)
  const shown = chosen ?? task.attempts[0]
  const error = shown?.error ?? task.error
  const live = !ENDED.has(task.state)
  return (
    <div className="stack">
      <TaskActions task={task} run={run} mark={mark} />
      {error && (
        <section className="aside-error" aria-label={w.error}>
          <pre tabIndex={0}>{error}</pre>
          <Copy text={shown?.traceback ?? error} />
          {shown?.traceback && <details><summary>{w.traceback}</summary><pre tabIndex={0}>{shown.traceback}</pre></details>}
        </section>
      )}
      {task.wait_reason && <p className="run-note" data-tone="held"><strong>{w.waits}</strong> {inZone(task.wait_reason, zone)}</p>}
      {live && task.progress !== null && <p className="run-progress"><Progress value={task.progress} label={w.task} /> {Math.floor(task.progress * 100)} % <span className="muted">{task.progress_message}</span></p>}
      {task.kind === 'head' && <p><Link href={`?tab=tasks&node=${encodeURIComponent(task.task)}`}>{w.openItems}</Link></p>}
      <Facts task={task} />
      <Part title={w.log}>
        <div className="aside-log"><LogView key={chosen?.fence} path={`/tasks/${task.task_id}/log`} fence={chosen?.fence ?? null} live={live} file={`${nameOf(task)}-${task.task_id}.log`} /></div>
      </Part>
      {task.attempts.length > 0 && (
        <Part title={w.attempts}>
          <table className="facts-table">
            <thead><tr><th scope="col">{w.attempt}</th><th scope="col">{common.field.state}</th><th scope="col">{w.ended}</th><th scope="col" className="num">{w.took}</th><th scope="col" className="num">{w.cpu}</th><th scope="col" className="num">{w.memory}</th></tr></thead>
            <tbody>
              {task.attempts.map((one) => (
                <tr key={one.fence} aria-selected={one === shown}>
                  <td><button type="button" className="link" onClick={() => setFence(String(one.fence))}>{one.attempt}</button></td>
                  <td><Chip state={one.state} small /> {one.reason}</td>
                  <td><Time at={one.finished_at ?? one.started_at} /></td>
                  <td className="num"><Took seconds={one.duration_s} since={one.started_at} until={one.finished_at} /></td>
                  <td className="num">{one.cpu_s == null ? '–' : common.time.second(one.cpu_s.toFixed(1))}</td>
                  <td className="num">{megabytes(one.peak_memory_mb)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Part>
      )}
      <Part title={w.params}>{task.params === null ? <p className="muted">{w.noParams}</p> : <Json value={task.params} label={w.params} />}</Part>
      <Part title={w.output}>{task.output === null || task.output === undefined ? <p className="muted">{task.state === 'SUCCESS' ? w.outputNone : w.noOutput}</p> : <Json value={task.output} label={w.output} />}</Part>
    </div>
  )
}

function Facts({ task }: { task: TaskDetail }) {
  const w = useWords(words)
  return (
    <dl className="facts">
      <dt>{w.job}</dt><dd><code>{task.job ?? '–'}</code>{task.pool && task.pool !== 'default' && <span className="muted"> {w.pool} {task.pool}</span>}</dd>
      {task.started_at && <><dt>{task.finished_at ? w.took : w.runsFor}</dt><dd><Took seconds={task.duration_s} since={task.started_at} until={task.finished_at} />{task.ready_at && <span className="muted"> · {w.waited} <Took since={task.ready_at} until={task.started_at} /></span>}</dd></>}
      {task.started_at && <><dt>{w.started}</dt><dd><Time at={task.started_at} as="full" /></dd></>}
      {task.daemon && <><dt>{w.daemon}</dt><dd>{task.daemon}</dd></>}
      {task.child_instance_id && <><dt>{w.child}</dt><dd><Link href={`/instances/${task.child_instance_id}`}>#{task.child_instance_id}</Link></dd></>}
    </dl>
  )
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => <section className="aside-part"><h3>{title}</h3>{children}</section>

function TaskActions({ task, run, mark }: { task: TaskDetail; run: InstanceDetail; mark: Props['mark'] }) {
  const w = useWords(words)
  const may = useMay('operate')
  const [asking, setAsking] = useState<TaskVerb | null>(null)
  if (!may) return null
  const ask = { retry: w.ask.retryTask, skip: w.ask.skipTask, rerun: w.ask.rerun, terminate: w.ask.terminateTask }
  const what = { retry: w.what.retryTask, skip: w.what.skipTask, rerun: w.what.rerun, terminate: w.what.terminateTask }
  const verbs = taskVerbsOf(task, run)
  if (verbs.length === 0) return null
  const marks = (verb: TaskVerb) => (verb === 'rerun' ? { onMouseEnter: () => mark(task.task), onMouseLeave: () => asking || mark(null), onFocus: () => mark(task.task), onBlur: () => asking || mark(null) } : {})
  const close = () => { setAsking(null); mark(null) }
  const icons = { retry: RotateCcw, skip: SkipForward, rerun: ListRestart, terminate: Ban }
  return (
    <div className="row">
      {verbs.map((verb) => <span key={verb} {...marks(verb)}><Button icon={icons[verb]} onClick={() => setAsking(verb)}>{w[verb]}</Button></span>)}
      {asking && <Act title={ask[asking]} word={w[asking]} onClose={close} needReason={asking === 'skip'} action={asking === 'rerun' ? { path: `/instances/${run.id}/rerun`, body: { from: task.task } } : { path: `/tasks/${task.task_id}/${asking}`, body: {} }}><p><strong>{nameOf(task)}</strong> {what[asking]}</p>{asking === 'rerun' && <Behind run={run} task={task.task} />}</Act>}
    </div>
  )
}

/** The tasks behind one, which run again with it. */
function Behind({ run, task }: { run: InstanceDetail; task: string }) {
  const w = useWords(words)
  const graph = useOne<GraphData>(`/instances/${run.id}/graph`, {}, { every: false })
  const keys = graph.data && behind(graph.data, task)
  if (!keys) return null
  const tasks = graph.data!.boxes.filter((box) => keys.has(box.key)).flatMap((box) => box.fold?.tasks ?? [box.key]).filter((key) => key !== task)
  return <p className="muted">{tasks.length === 0 ? w.nothingBehind : w.behind(number(tasks.length), tasks.slice(0, 12).join(', ') + (tasks.length > 12 ? ' …' : ''))}</p>
}
