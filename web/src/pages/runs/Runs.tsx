// All runs, newest first: what runs, what is stuck, what failed. Filters stand in the address; a selection can be acted on.
import { Play } from 'lucide-react'
import { useCallback, useMemo, useState } from 'react'
import { Link, useLocation, useSearchParams } from 'wouter'
import { useQuerySet } from '../../api/address'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import type { InstanceItem } from '../../api/types'
import { count as number, inZone } from '../../format'
import { useKeys } from '../../keys'
import { useSettings } from '../../settings'
import { Progress } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Head } from '../../ui/Panel'
import { ENDED } from '../../ui/states'
import { Time, Took } from '../../ui/Time'
import { VirtualList, type ListColumn } from '../../ui/VirtualList'
import { useCommon, useWords } from '../../words'
import { somePossible } from '../run/verbs'
import { StartDialog } from '../start/StartDialog'
import { BatchDialog, type BatchAction } from './BatchDialog'
import { FilterLine } from './FilterLine'
import { Views } from './Views'
import { filterOf, isEmpty, queryOf, whereOf } from './filters'
import { words } from './words'
import '../../ui/page.css'

export default function Runs() {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  const [params] = useSearchParams()
  const filter = useMemo(() => filterOf(params), [params])
  const set = useQuerySet()
  const clear = () => set({ state: '', workflow: '', business_date: '', since: '', trigger_type: '', name: '' })
  const runs = useList<InstanceItem>('/instances', { ...queryOf(filter), limit: 100 }, { keep: true, topic: 'instances', also: 60_000 })
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set())
  const [batch, setBatch] = useState<{ action: BatchAction; all: boolean } | null>(null)
  const [starting, setStarting] = useState(false)
  const mayStart = useMay('submit')
  const mayAct = useMay('operate')
  const items = runs.items ?? []
  const where = useMemo(() => whereOf(filter), [filter])
  useKeys({ t: () => setStarting(true) }, mayStart)

  const toggle = useCallback((id: number) => setSelected((old) => { const next = new Set(old); if (!next.delete(id)) next.add(id); return next }), [])
  const columns = useMemo(() => columnsOf(w, selected, toggle, mayAct), [w, selected, toggle, mayAct])
  const need = (_: number, to: number) => { if (to >= items.length - 20 && runs.more && !runs.loadingMore) runs.more() }
  const onKey = (key: string, run: InstanceItem) => {
    if (key !== 'x' || !mayAct) return false
    toggle(run.id)
    return true
  }
  return (
    <div className="page-full">
      <Head title={w.runs} name={w.runs} actions={<><Views filter={filter} />{mayStart && <Button icon={Play} look="main" title="t" onClick={() => setStarting(true)}>{w.start}</Button>}</>} />
      <FilterLine filter={filter} />
      <LoadedList of={runs} lines={12} reads className="page-list" empty={isEmpty(filter) ? <Empty title={w.none} code="qflowd submit hello">{w.noneWhat}</Empty> : <Empty title={common.empty.noMatch} onClear={clear} />}>
        {() => (
          <>
            <VirtualList
              label={w.runs} columns={columns} count={items.length} rowAt={(index) => items[index]} need={need} onKey={onKey}
              open={(run) => go(`/instances/${run.id}`)} chosen={(run) => selected.has(run.id)}
            />
            <footer className="page-foot">
              {mayAct && (selected.size > 0 || where) ? (
                <Selection count={selected.size} states={items.filter((run) => selected.has(run.id)).map((run) => run.state)} filtered={where !== null} clear={() => setSelected(new Set())} act={(action, all) => setBatch({ action, all })} />
              ) : (
                <span className="muted">{w.shown(number(items.length))} {runs.more ? w.more : w.all}</span>
              )}
            </footer>
          </>
        )}
      </LoadedList>
      {batch && <BatchDialog action={batch.action} {...(batch.all ? { where: where ?? {} } : { ids: [...selected] })} onClose={() => setBatch(null)} done={() => setSelected(new Set())} />}
      {starting && <StartDialog workflow={null} onClose={() => setStarting(false)} />}
    </div>
  )
}

interface SelectionProps {
  count: number
  /** Of those that are selected and still listed. */
  states: string[]
  filtered: boolean
  clear: () => void
  act: (action: BatchAction, all: boolean) => void
}

/** What can be done with the selection, or with everything that matches the filters. */
function Selection({ count, states, filtered, clear, act }: SelectionProps) {
  const w = useWords(words)
  const all = count === 0
  if (all && !filtered) return null
  return (
    <>
      <strong>{all ? w.matching : w.selected(number(count))}</strong>
      {(['retry', 'pause', 'resume', 'terminate'] as const).map((action) => {
        const none = states.length === count && !all && !somePossible(action, states)
        return <Button key={action} look={action === 'terminate' ? 'danger' : undefined} disabled={none} title={none ? w.meetsNone : undefined} onClick={() => act(action, all)}>{w.actions[action]}</Button>
      })}
      {!all && <Button look="bare" onClick={clear}>{w.clearSelection}</Button>}
    </>
  )
}

function columnsOf(w: typeof words.en, selected: ReadonlySet<number>, toggle: (id: number) => void, mayAct: boolean): ListColumn<InstanceItem>[] {
  const box: ListColumn<InstanceItem> = {
    head: <span className="hidden-text">{w.select}</span>, width: '1.2rem',
    cell: (run) => <input type="checkbox" tabIndex={-1} checked={selected.has(run.id)} aria-label={`${w.select} ${run.id}`} onChange={() => toggle(run.id)} />,
  }
  return [
    ...(mayAct ? [box] : []),
    { head: w.state, width: '9rem', cell: (run) => <Chip state={run.state} /> },
    { head: w.workflow, width: 'minmax(6rem, 1.6fr)', cell: (run) => <Name run={run} /> },
    { head: w.id, width: '4rem', right: true, wide: true, cell: (run) => <span className="muted">#{run.id}</span> },
    { head: w.date, width: '6.5rem', wide: true, cell: (run) => run.business_date ?? <span className="muted">–</span> },
    { head: w.progress, width: '5rem', wide: true, cell: (run) => (ENDED.has(run.state) ? null : <Progress value={run.progress} label={w.progress} />) },
    { head: w.started, width: '6rem', right: true, cell: (run) => <Time at={run.started_at ?? run.created_at} /> },
    { head: w.took, width: '6rem', right: true, wide: true, cell: (run) => <Took seconds={run.duration_s} since={run.started_at} until={run.finished_at} /> },
    { head: w.trigger, width: '5.5rem', wide: true, cell: (run) => <span className="muted">{w.triggers[run.trigger_type] ?? run.trigger_type}</span> },
    { head: w.note, width: 'minmax(8rem, 2.4fr)', wide: true, cell: (run) => <Note run={run} /> },
  ]
}

function Name({ run }: { run: InstanceItem }) {
  const title = run.workflow ?? run.job ?? ''
  return (
    <>
      <Link href={`/instances/${run.id}`} tabIndex={-1} className="runs-name">{title}</Link>
      {run.name && run.name !== title && <span className="muted"> · {run.name}</span>}
    </>
  )
}

function Note({ run }: { run: InstanceItem }) {
  const w = useWords(words)
  const { zone } = useSettings()
  const text = run.wait_reason ? inZone(run.wait_reason, zone) : run.error
  const late = run.late_at && <Tag tone="held">{w.late}</Tag>
  if (!text) return late || null
  return <span className={run.wait_reason ? 'runs-wait' : 'runs-error'} title={text}>{late} {text}</span>
}
