// One run: what failed and why, where it stands, what it waits for. Opens on the first failure; everything is in the address.
import { ChevronLeft, ChevronRight } from 'lucide-react'
import { useCallback, useEffect, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useQuerySet, useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import type { Box, InstanceDetail, InstanceItem, Page, TaskItem, TimelineRow } from '../../api/types'
import { count as number, duration, inZone } from '../../format'
import { useKeys } from '../../keys'
import { useSettings } from '../../settings'
import { Progress } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Chip, Tag } from '../../ui/Chip'
import { Head } from '../../ui/Panel'
import { Fence, Loaded } from '../../ui/Problem'
import { ENDED } from '../../ui/states'
import { Tabs } from '../../ui/Tabs'
import { Time, Took } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { words as runsWords } from '../runs/words'
import { Actions } from './Actions'
import { Data } from './Data'
import { FoldAside } from './FoldAside'
import { GanttTab, GraphTab, LogTab } from './Drawings'
import { ordinalOf, taskIdOf, median, tellingFailure, topicOfRun } from './ids'
import { TaskAside } from './TaskAside'
import { Tasks } from './Tasks'
import { words } from './words'
import '../../ui/page.css'
import './run.css'

type TabName = 'graph' | 'gantt' | 'tasks' | 'log' | 'data'
const TABS: TabName[] = ['graph', 'gantt', 'tasks', 'log', 'data']

export default function Run({ id }: { id: string }) {
  const run = useOne<InstanceDetail>(`/instances/${encodeURIComponent(id)}`, {}, { topic: topicOfRun })
  return (
    <Loaded of={run} lines={10}>
      {(data) => <Shown key={data.id} run={data} />}
    </Loaded>
  )
}

function Shown({ run }: { run: InstanceDetail }) {
  const w = useWords(words)
  const [at, setTab] = useQueryState('tab', 'graph')
  const [task] = useQueryState('task')
  const [fold, setFold] = useQueryState('fold')
  const set = useQuerySet()
  const tab: TabName = run.workflow === null && at === 'graph' ? 'tasks' : ((TABS as string[]).includes(at) ? at : 'graph') as TabName
  const failures = useFailures(run)
  const [again, setAgain] = useState<string | null>(null)
  const live = !ENDED.has(run.state)
  // Nothing chosen yet: the first failure is looked at. `none`: the person has closed it.
  const open = task === 'none' || fold ? null : task || failures.first
  const close = useCallback(() => set({ task: 'none', fold: '', line: '' }), [set])
  const openTask = useCallback((taskId: string) => set({ task: taskId, fold: '', line: '' }), [set])
  const openBox = useCallback(
    (box: Box | TimelineRow) => {
      if ('fold' in box && box.fold) return setFold(String(box.node))
      const many = 'count' in box ? box.count > 1 : box.kind === 'head' && run.state !== 'READY'
      if (many) set({ tab: 'tasks', node: box.key, task: '', fold: '', state: '' })
      else openTask(taskIdOf(run.id, box.node))
    },
    [run.id, run.state, set, setFold, openTask],
  )
  useKeys({ l: () => setTab('log'), Escape: close }, true)
  return (
    <div className="page-full">
      <RunHead run={run} />
      <Tabs label={w.views} chosen={tab} choose={setTab} tabs={TABS.filter((name) => name !== 'graph' || run.workflow !== null).map((name) => ({ name, word: <TabWord name={name} run={run} /> }))} />
      <div className="run-split" data-open={open !== null || fold !== '' || undefined}>
        <div className="run-main">
          <Fence name={`${tab}${run.id}`}>
            {tab === 'graph' && <GraphTab run={run} live={live} open={openBox} chosen={open ? ordinalOf(run.id, open) : null} again={again} />}
            {tab === 'gantt' && <GanttTab run={run} live={live} open={openBox} chosen={open ? ordinalOf(run.id, open) : null} />}
            {tab === 'tasks' && <Tasks run={run} open={(one) => openTask(one.task_id)} chosen={open} />}
            {tab === 'log' && <LogTab run={run} live={live} />}
            {tab === 'data' && <Data run={run} />}
          </Fence>
        </div>
        {fold !== '' && <FoldAside run={run} node={Number(fold)} close={() => setFold('')} />}
        {open !== null && <TaskAside key={open} id={open} run={run} close={close} mark={setAgain} note={failures.first === open && task === '' ? failures.count : null} showFailures={() => set({ tab: 'tasks', state: 'FAILED', node: '', task: '' })} />}
      </div>
    </div>
  )
}

/** The failure to look at, and how many there are. The run knows the first; it is asked for once others fail while it is shown. */
function useFailures(run: InstanceDetail): { first: string | null; count: number } {
  const count = run.counts.FAILED ?? 0
  const found = useOne<Page<TaskItem>>(count > 0 && run.first_failure === undefined ? `/instances/${run.id}/tasks` : null, { state: 'FAILED', limit: 20 }, { every: 15_000, keep: true, topic: topicOfRun(run) })
  const first = run.first_failure ?? tellingFailure(found.data?.items ?? [])?.task_id ?? null
  return { first: count > 0 ? first : null, count }
}

function TabWord({ name, run }: { name: TabName; run: InstanceDetail }) {
  const w = useWords(words)
  const failed = run.counts.FAILED ?? 0
  return <>{w.tabs[name]}{name === 'tasks' && failed > 0 && <span className="run-count">{number(failed)}</span>}</>
}

function RunHead({ run }: { run: InstanceDetail }) {
  const w = useWords(words)
  const lists = useWords(runsWords)
  const common = useCommon()
  const { zone } = useSettings()
  const [, go] = useLocation()
  const beside = useBeside(run)
  const live = !ENDED.has(run.state)
  const title = run.workflow ?? run.job ?? ''
  useKeys({ '[': () => beside.older && go(`/instances/${beside.older}`), ']': () => beside.newer && go(`/instances/${beside.newer}`) })
  return (
    <>
      <Head
        name={`${title} #${run.id} ${run.state}`}
        above={<Link href="/instances">{w.runs}</Link>}
        title={
          <span className="run-title">
            {run.workflow ? <Link href={`/workflows/${encodeURIComponent(run.workflow)}`}>{title}</Link> : title}
            <span className="muted">#{run.id}</span>
            <Chip state={run.state} />
            {run.saga_state && w.saga[run.saga_state] && <Tag tone={run.saga_state === 'COMPENSATION_FAILED' ? 'bad' : 'odd'}>{w.saga[run.saga_state]}</Tag>}
            {run.late_at && <Tag tone="held">{w.late}</Tag>}
            <span className="run-beside">
              <Button icon={ChevronLeft} look="bare" title={w.older} disabled={!beside.older} onClick={() => go(`/instances/${beside.older}`)} />
              <Button icon={ChevronRight} look="bare" title={w.newer} disabled={!beside.newer} onClick={() => go(`/instances/${beside.newer}`)} />
            </span>
          </span>
        }
        actions={<Actions run={run} />}
      >
        {run.business_date && <span>{w.date} <strong>{run.business_date}</strong></span>}
        {run.late_at && <span>{w.expectedBy} <Time at={run.late_at} as="full" /></span>}
        {live && run.state !== 'READY' && <span className="run-progress"><Progress value={run.progress} label={title} /> {Math.floor((run.progress ?? 0) * 100)} %</span>}
        {run.started_at && <span>{live ? w.runsFor : w.took} <strong><Took seconds={run.duration_s} since={run.started_at} until={run.finished_at} /></strong>{beside.usual !== null && <span className="muted"> ({w.usually(duration(beside.usual, common))})</span>}</span>}
        <span className="muted">{run.started_at ? w.started : w.created} <Time at={run.started_at ?? run.created_at} as="full" /></span>
        <span className="muted">{w.via} {lists.triggers[run.trigger_type] ?? run.trigger_type}</span>
        {run.name && run.name !== title && <span className="muted cut" title={run.name}>{run.name}</span>}
        {run.parent_instance && <span className="muted">{w.partOf} <Link href={`/instances/${run.parent_instance.instance_id}${run.parent_instance.task_id ? `?task=${run.parent_instance.task_id}` : ''}`}>#{run.parent_instance.instance_id}</Link></span>}
      </Head>
      {run.wait_reason && <p className="run-note" data-tone="held"><strong>{w.waits}</strong> {inZone(run.wait_reason, zone)}</p>}
      {run.error && ENDED.has(run.state) && !run.counts.FAILED && <p className="run-note" data-tone="bad"><strong>{w.failedRun}</strong> {run.error}</p>}
    </>
  )
}

/** The runs before and after this one, and how long a good one usually takes. Asked once, after what the page is opened for. */
function useBeside(run: InstanceDetail) {
  const [isTurn, setTurn] = useState(false)
  useEffect(() => {
    // A tab that is hidden by then asks nothing.
    const take = () => { if (!document.hidden) setTurn(true) }
    const timer = setTimeout(take, 300)
    document.addEventListener('visibilitychange', take)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', take)
    }
  }, [])
  const list = useOne<Page<InstanceItem>>(run.workflow && isTurn ? `/workflows/${encodeURIComponent(run.workflow)}/instances` : null, { limit: 40 }, { every: false })
  const items = list.data?.items ?? []
  const older = items.find((one) => one.id < run.id)?.id ?? null
  const newer = items.filter((one) => one.id > run.id).at(-1)?.id ?? null
  const usual = median(items.filter((one) => one.state === 'SUCCESS' && one.duration_s !== null && one.id !== run.id).slice(0, 20).map((one) => one.duration_s!))
  return { older, newer, usual }
}

