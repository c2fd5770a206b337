// What comes next: the fires of all schedules on one line of time, what is overdue, and what is off.
import { TriangleAlert } from 'lucide-react'
import { useMemo } from 'react'
import { useQuerySet, useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import { Empty } from '../../ui/Empty'
import { Filters, Head } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { Tabs } from '../../ui/Tabs'
import { useCommon, useNow, useWords } from '../../words'
import { Detail } from './Detail'
import { isDue, isOff, keyOf, shownOf, spanOf, type ScheduleList } from './lanes'
import { Line } from './Line'
import { words } from './words'
import './schedules.css'

export default function Schedules() {
  const w = useWords(words)
  const [span, setSpan] = useQueryState('span')
  const minute = Math.floor(useNow() / 60_000) * 60_000
  const asked = useMemo(() => spanOf(span, minute), [span, minute])
  const found = useOne<ScheduleList>('/schedules', asked, { every: 15_000, keep: true })
  const on = found.data?.schedules.filter((one) => !isOff(one)).length
  return (
    <>
      <Head title={w.title} name={w.title} actions={
        <select className="input" aria-label={w.span} value={span} onChange={(event) => setSpan(event.target.value)}>
          {Object.entries(w.spans).map(([name, word]) => <option key={name} value={name}>{word}</option>)}
        </select>
      }>{on !== undefined && w.about(on)}</Head>
      <Loaded of={found}>
        {(data) => (data.schedules.length === 0
          ? <Empty title={w.none} code={'schedule:\n  cron: "30 16 * * 1-5"\n  timezone: Asia/Shanghai'}>{w.noneMore}</Empty>
          : <Whole of={data} now={minute} />)}
      </Loaded>
    </>
  )
}

function Whole({ of, now }: { of: ScheduleList; now: number }) {
  const w = useWords(words)
  const common = useCommon()
  const [view, setView] = useQueryState('view')
  const [q, setQ] = useQueryState('q')
  const [open, setOpen] = useQueryState('open')
  const set = useQuerySet()
  const due = of.schedules.filter((one) => isDue(one, now)).length
  const shown = shownOf(of.schedules, view, q, now)
  const chosen = of.schedules.find((one) => keyOf(one) === open)
  const counts: Record<string, number> = { '': of.schedules.length, due, off: of.schedules.filter(isOff).length }
  return (
    <>
      {due > 0 && <div className="warning" role="status"><TriangleAlert aria-hidden size={16} /><strong>{w.dueBar(due)}</strong> {w.dueRemedy}</div>}
      <div className="schedule-top">
        <Tabs label={w.view} chosen={view} choose={setView} tabs={Object.entries(w.views).map(([name, word]) => ({ name, word: <>{word} <span className="muted">{counts[name]}</span></> }))} />
        <Filters><input className="input" type="search" placeholder={w.find} aria-label={w.find} value={q} onChange={(event) => setQ(event.target.value)} /></Filters>
      </div>
      {shown.length === 0 ? <Empty title={common.empty.noMatch} onClear={() => set({ view: '', q: '' })} /> : <Line schedules={shown} of={of} now={now} open={(one) => setOpen(keyOf(one), true)} chosen={open} />}
      {chosen && <Detail of={chosen} onClose={() => setOpen('')} />}
    </>
  )
}
