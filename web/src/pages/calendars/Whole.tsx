// One calendar: its year, the sessions that come next, its horizon and its source.
import { ChevronLeft, ChevronRight, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import { useQuerySet, useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { zoneName } from '../../format'
import { useKeys } from '../../keys'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Panel } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { useWords } from '../../words'
import { Import } from './Import'
import { OverrideDay, Overrides } from './Overrides'
import { words } from './words'
import { dayWord, hoursOf, spanOf, wholeOf, yearOf, type CalendarYear, type TradingSessionItem } from './year'
import { Year } from './Year'

export function Whole({ of, products }: { of: CalendarYear; products: string[] }) {
  const w = useWords(words)
  const isWork = of.kind === 'workday'
  const may = useMay('define')
  const [overriding, override] = useState<string | null>(null)
  return (
    <div className="stack">
      <header className="calendar-head">
        <div className="grow">
          <h2>{of.name}</h2>
          <p className="muted">{of.title} · {of.timezone}</p>
        </div>
        {products.length > 0 && <Product of={of} products={products} />}
        <Years of={of} />
      </header>
      <Horizon of={of} />
      <Panel title={(isWork ? w.workdays : w.sessions)(of.sessions.length, of.year)}><Year key={`${of.name} ${of.year}`} of={of} override={may ? override : undefined} /></Panel>
      <Panel title={isWork ? w.nextWork : w.next} flush>{of.next.length > 0 ? <Next of={of} /> : <p className="muted calendar-none">{w.noNext}</p>}</Panel>
      <Overrides of={of} begin={() => override('')} />
      <div className="calendar-own">
        <p className="muted">{w.source}: {of.is_own ? w.ownSource(of.source) : of.source}</p>
        {may && of.is_own && <Own of={of} />}
      </div>
      {overriding !== null && <OverrideDay of={of} first={overriding} onClose={() => override(null)} />}
    </div>
  )
}

/** What may be done to a calendar that was imported. */
function Own({ of }: { of: CalendarYear }) {
  const w = useWords(words)
  const set = useQuerySet()
  const [doing, setDoing] = useState<'import' | 'remove' | null>(null)
  const close = () => setDoing(null)
  return (
    <>
      <Button onClick={() => setDoing('import')}>{w.importAnew}</Button>
      <Button look="danger" onClick={() => setDoing('remove')}>{w.remove}</Button>
      {doing === 'import' && <Import of={of} onClose={close} />}
      {doing === 'remove' && (
        <Act
          title={`${w.remove}: ${of.name}`} word={w.remove} danger withReason={false} onClose={close}
          action={{ method: 'DELETE', path: `/calendars/${encodeURIComponent(of.name)}` }} done={() => set({ name: '', year: '' })}
        >
          {w.removeText(of.name)}
        </Act>
      )}
    </>
  )
}

function Product({ of, products }: { of: CalendarYear; products: string[] }) {
  const w = useWords(words)
  const [, setName] = useQueryState('name')
  const exchange = of.name.split('.')[0]!
  return (
    <select className="input" aria-label={w.product} value={of.name} onChange={(event) => setName(event.target.value)}>
      <option value={exchange}>{w.ofExchange}</option>
      {products.map((each) => <option key={each} value={`${exchange}.${each}`}>{each}</option>)}
    </select>
  )
}

function Years({ of }: { of: CalendarYear }) {
  const w = useWords(words)
  const [, setYear] = useQueryState('year')
  const [first, last] = [yearOf(of.first), yearOf(of.last)]
  const go = (year: number) => year >= first && year <= last && setYear(String(year))
  useKeys({ '[': () => go(of.year - 1), ']': () => go(of.year + 1) })
  return (
    <span className="calendar-years">
      <Button icon={ChevronLeft} title={w.earlier} disabled={of.year <= first} onClick={() => go(of.year - 1)} />
      <select className="input" aria-label={w.year} value={of.year} onChange={(event) => go(Number(event.target.value))}>
        {Array.from({ length: last - first + 1 }, (_, i) => <option key={i}>{last - i}</option>)}
      </select>
      <Button icon={ChevronRight} title={w.later} disabled={of.year >= last} onClick={() => go(of.year + 1)} />
    </span>
  )
}

function Horizon({ of }: { of: CalendarYear }) {
  const w = useWords(words)
  if (!of.ends_soon) return <p>{w.known(of.first, of.last, of.days_left)}</p>
  return <div className="warning" role="status"><TriangleAlert aria-hidden size={16} /><span className="grow">{of.days_left < 0 ? w.past(of.last, of.is_own) : w.soon(of.days_left, of.last, of.is_own)}</span></div>
}

function Next({ of }: { of: CalendarYear }) {
  const w = useWords(words)
  const { zone, lang } = useSettings()
  const hasHours = of.kind === 'exchange'
  const hasNights = of.next.some((each) => each.night)
  const elsewhere = hasHours && zoneName(zone) !== of.timezone
  return (
    <Table
      label={hasHours ? w.next : w.nextWork} rows={of.next} keyOf={(each) => each.day}
      columns={[
        { head: hasHours ? w.session : w.work, cell: (each: TradingSessionItem) => <span className="calendar-lines"><strong>{dayWord(each.day, lang)}</strong>{each.is_half && <Tag tone="held">{w.half}</Tag>}</span> },
        ...(hasNights ? [{ head: w.nightIn(of.timezone), cell: (each: TradingSessionItem) => (each.night ? <Lines of={[spanOf(each.night, of.timezone)]} /> : <span className="muted">{w.noNight}</span>) }] : []),
        ...(hasHours ? [{ head: w.hoursIn(of.timezone), cell: (each: TradingSessionItem) => <Lines of={hoursOf(each, of.timezone)} /> }] : []),
        ...(elsewhere ? [{ head: `${w.here} (${zoneName(zone)})`, cell: (each: TradingSessionItem) => <Lines of={wholeOf(each, zone)} /> }] : []),
      ]}
    />
  )
}

const Lines = ({ of }: { of: string[] }) => <span className="calendar-lines">{of.map((line) => <span key={line}>{line}</span>)}</span>
