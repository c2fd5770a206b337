// What still needs a person: failures in groups of one workflow, task and error. Inside a group its tasks, with their logs.
import { BellOff, BellRing, CheckCheck, ChevronRight, RotateCcw } from 'lucide-react'
import { useState, type KeyboardEvent } from 'react'
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import { count as number } from '../../format'
import { Button } from '../../ui/Button'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Head } from '../../ui/Panel'
import { Tabs } from '../../ui/Tabs'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { nameOf } from '../run/ids'
import { HandleDialog, MuteDialog, RetryDialog, type Chosen } from './dialogs'
import { groupKey, groupQuery, runOf, spoken, type FailingGroup, type FailureItem } from './groups'
import { words } from './words'
import './failures.css'

type Verb = 'retry' | 'handle' | 'mute'

export default function Failures() {
  const w = useWords(words)
  const [view, setView] = useQueryState('view', 'open')
  const [asking, setAsking] = useState<{ verb: Verb; of: Chosen } | null>(null)
  return (
    <>
      <Head title={w.title} name={w.title}>{w.about}</Head>
      <div className="failure-tabs"><Tabs label={w.views} chosen={view} choose={setView} tabs={[{ name: 'open', word: w.open }, { name: 'handled', word: w.handled }]} /></div>
      {view === 'handled' ? <Handled /> : <Groups ask={(verb, of) => setAsking({ verb, of })} />}
      {asking?.verb === 'retry' && <RetryDialog of={asking.of} onClose={() => setAsking(null)} />}
      {asking?.verb === 'mute' && <MuteDialog of={asking.of} onClose={() => setAsking(null)} />}
      {asking?.verb === 'handle' && <HandleDialog of={asking.of} onClose={() => setAsking(null)} />}
    </>
  )
}

function Groups({ ask }: { ask: GroupProps['ask'] }) {
  const w = useWords(words)
  const groups = useList<FailingGroup>('/failures', { group: 1 }, { topic: 'overview' })
  const [open, setOpen] = useQueryState('group')
  return (
    <LoadedList of={groups} empty={<Empty title={w.none}>{w.noneWhat}</Empty>}>
      {(items) => (
        <ul className="groups">
          {spoken(items).map((group) => (
            <Group key={groupKey(group)} group={group} open={open === groupKey(group)} turn={() => setOpen(open === groupKey(group) ? '' : groupKey(group))} ask={ask} />
          ))}
        </ul>
      )}
    </LoadedList>
  )
}

/** What somebody has taken care of: who, when, and how. */
function Handled() {
  const w = useWords(words)
  const rows = useList<FailureItem>('/failures', { handled: 1, limit: 50 }, { every: 15_000, topic: 'overview' })
  return (
    <LoadedList of={rows} empty={<Empty title={w.noneHandled} />}>
      {(items) => (
        <ul className="group">
          {items.map((one) => (
            <li key={`${one.task_id}${one.handled_at}`} className="failure">
              <Link href={`/instances/${one.instance_id}?task=${one.task_id}`} data-row className="failure-name cut">{nameOf(one)}</Link>
              <span className="muted cut">{one.workflow} #{one.instance_id}</span>
              <span className="cut" title={`${one.note ?? ''}\n${one.error ?? ''}`}><strong>{one.note}</strong> <span className="failure-error">{one.error?.split('\n')[0]}</span></span>
              <span className="muted cut">{one.handled_by && w.by(one.handled_by)}</span>
              <span className="num"><Time at={one.handled_at} /></span>
              <span />
            </li>
          ))}
        </ul>
      )}
    </LoadedList>
  )
}

interface GroupProps {
  group: FailingGroup
  open: boolean
  turn: () => void
  ask: (verb: Verb, of: Chosen) => void
}

function Group({ group, open, turn, ask }: GroupProps) {
  const w = useWords(words)
  const may = useMay('operate')
  const name = `${group.workflow ?? ''}${group.workflow ? ' › ' : ''}${group.task}`
  const of: Chosen = { group, name, count: group.count }
  const key = (event: KeyboardEvent) => keys(event, { r: () => may && ask('retry', of), h: () => may && ask('handle', of), m: () => may && ask('mute', of) })
  return (
    <li className="group" data-open={open || undefined} data-muted={group.muted_until ? true : undefined}>
      <div className="group-head" onKeyDown={key}>
        <button type="button" className="group-turn" data-row aria-expanded={open} onClick={turn}>
          <ChevronRight aria-hidden size={16} className="group-arrow" />
          <span className="group-what">
            <span className="row">
              <span className="group-name cut"><span className="muted">{group.workflow}{group.workflow && ' › '}</span>{group.task}</span>
              {group.count > 1 && <span className="group-count" title={w.count}>×{number(group.count)}</span>}
              <span className="group-run muted">{runOf(group)}</span>
            </span>
            <span className="group-error" title={group.error ?? ''}>{group.error ?? group.error_class}</span>
          </span>
        </button>
        <span className="group-when">
          <strong><Time at={group.newest_at} /></strong>
          <span className="muted">{group.first_at && group.first_at !== group.newest_at && <>{w.first} <Time at={group.first_at} /></>}</span>
        </span>
        {group.muted_until && (
          <span className="group-muted muted cut" title={group.mute_reason ?? ''}><BellOff aria-hidden size={14} /> {w.muted} <Time at={group.muted_until} /> {group.muted_by && w.by(group.muted_by)}</span>
        )}
        {may && (
          <span className="group-do">
            <Button icon={RotateCcw} onClick={() => ask('retry', of)}>{group.count === 1 ? w.retry : w.retryAll(number(group.count))}</Button>
            <Button icon={CheckCheck} onClick={() => ask('handle', of)}>{w.handle}</Button>
            <Button icon={group.muted_until ? BellRing : BellOff} look="bare" onClick={() => ask('mute', of)}>{group.muted_until ? w.unmute : w.mute}</Button>
          </span>
        )}
      </div>
      {open && <Rows group={group} ask={ask} />}
    </li>
  )
}

function Rows({ group, ask }: { group: FailingGroup; ask: GroupProps['ask'] }) {
  const rows = useList<FailureItem>('/failures', { ...groupQuery(group), limit: 50 }, { topic: 'overview' })
  return (
    <div className="group-rows">
      <LoadedList of={rows} lines={3} empty={null}>
        {(items) => <ul>{items.map((one) => <Row key={one.task_id} failure={one} ask={ask} />)}</ul>}
      </LoadedList>
    </div>
  )
}

function Row({ failure, ask }: { failure: FailureItem; ask: GroupProps['ask'] }) {
  const w = useWords(words)
  const may = useMay('operate')
  const name = nameOf(failure)
  const of: Chosen = { tasks: [failure.task_id], name, count: 1 }
  const task = `/instances/${failure.instance_id}?task=${failure.task_id}`
  return (
    <li className="failure" onKeyDown={(event) => keys(event, { r: () => may && ask('retry', of), h: () => may && ask('handle', of) })}>
      <Link href={task} data-row className="failure-name cut">{name}</Link>
      <Link href={`/instances/${failure.instance_id}`} className="muted">{runOf(failure)}</Link>
      <span className="failure-error cut" title={failure.error ?? ''}>{failure.error?.split('\n')[0]}</span>
      {failure.attempts != null && <span className="muted num">{w.attempts(failure.attempts)}</span>}
      <span className="num"><Time at={failure.failed_at} /></span>
      <span className="failure-do">
        <Link href={task}>{w.log}</Link>
        {may && <Button icon={RotateCcw} look="bare" aria-label={`${w.retry} ${name}`} onClick={() => ask('retry', of)}>{w.retry}</Button>}
        {may && <Button icon={CheckCheck} look="bare" aria-label={`${w.handle}: ${name}`} onClick={() => ask('handle', of)}>{w.handle}</Button>}
      </span>
    </li>
  )
}

function keys(event: KeyboardEvent, acts: Record<string, () => unknown>) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const act = acts[event.key]
  if (!act) return
  event.preventDefault()
  event.stopPropagation()
  act()
}
