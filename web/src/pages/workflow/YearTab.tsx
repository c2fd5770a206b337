// A year of a workflow by business dates: which sessions have a good run, and what is there instead.
import { ChevronLeft, ChevronRight, History } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { usePick, type Picked } from './usePick'
import { words } from './words'
import { countsOf, missingOf, monthsOf, signs, type DayOfYear, type YearOfWorkflow } from './year'

const BeginDialog = lazy(() => import('../backfills/BeginDialog').then((m) => ({ default: m.BeginDialog })))

export default function YearTab({ of }: { of: WorkflowDetail }) {
  const [year] = useQueryState('year')
  const found = useOne<YearOfWorkflow>(`/workflows/${encodeURIComponent(of.workflow)}/calendar`, { year }, { keep: true, every: 30_000, topic: 'instances', also: 30_000 })
  return <Loaded of={found} lines={9}>{(data) => <Whole of={data} runs={of.version !== null && of.archived_at === null} />}</Loaded>
}

function Whole({ of, runs }: { of: YearOfWorkflow; runs: boolean }) {
  const w = useWords(words)
  const [, setYear] = useQueryState('year')
  const [dates, setDates] = useState<Partial<Picked> | null>(null)
  const may = useMay('operate') && runs
  const months = monthsOf(of)
  return (
    <div className="stack">
      <div className="row">
        <Button icon={ChevronLeft} title={w.earlierYear} onClick={() => setYear(String(of.year - 1))} />
        <strong>{of.year}</strong>
        <Button icon={ChevronRight} title={w.laterYear} onClick={() => setYear(String(of.year + 1))} />
        <Link href={`/calendars?name=${encodeURIComponent(of.calendar)}&year=${of.year}`}><Tag>{of.calendar}</Tag></Link>
        <span>{w.gaps(of.gaps)}</span>
        {may && <><span className="grow" /><Button icon={History} title={w.backfillHow} onClick={() => setDates(missingOf(months))}>{w.backfill}</Button></>}
      </div>
      <div className="run-year-room"><Months of={months} label={`${of.workflow} ${of.year}`} pick={may ? setDates : null} /></div>
      <ul className="run-year-signs" aria-label={w.signs}>
        {countsOf(months).map(([kind, many]) => <li key={kind}><i data-day-kind={kind} aria-hidden>{signs[kind]}</i> <strong>{many}</strong> {w.days[kind]}</li>)}
      </ul>
      {dates && <Suspense fallback={null}><BeginDialog workflow={of.workflow} from={dates.from} to={dates.to} onClose={() => setDates(null)} /></Suspense>}
    </div>
  )
}

type Pick = ((picked: Picked) => void) | null

function Months({ of: months, label, pick }: { of: DayOfYear[][]; label: string; pick: Pick }) {
  const w = useWords(words)
  const { lang } = useSettings()
  const month = new Intl.DateTimeFormat(lang, { timeZone: 'UTC', month: 'short' })
  const { picked, on } = usePick(pick !== null, (dates) => pick?.(dates))
  return (
    <table className="run-year" aria-label={label} data-pick={pick !== null || undefined} {...on}>
      <thead><tr><th scope="col"><span className="hidden-text">{w.month}</span></th>{Array.from({ length: 31 }, (_, i) => <th key={i} scope="col">{i + 1}</th>)}</tr></thead>
      <tbody>
        {months.map((days) => (
          <tr key={days[0]!.day}>
            <th scope="row">{month.format(new Date(days[0]!.day))}</th>
            {days.map((day) => <td key={day.day} data-day={day.day} data-picked={(picked && picked.from <= day.day && day.day <= picked.to) || undefined}><Cell of={day} pick={pick} /></td>)}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Cell({ of: { day, kind, of }, pick }: { of: DayOfYear; pick: Pick }) {
  const w = useWords(words)
  const told = `${day}, ${w.days[kind]}${of && of.runs > 1 ? `, ${w.runs(of.runs)}` : ''}${of && !of.is_session ? `, ${w.noSession}` : ''}`
  if (of?.instance_id) return <Link href={`/instances/${of.instance_id}`} draggable={false} data-day-kind={kind} title={told} aria-label={told}>{signs[kind]}</Link>
  if (pick && kind === 'missing') return <button type="button" data-day-kind={kind} title={told} aria-label={told} onClick={() => pick({ from: day, to: day })}>{signs[kind]}</button>
  return <span data-day-kind={kind} title={told} role="img" aria-label={told}>{signs[kind]}</span>
}
