// What people say of days of a calendar, over what its file says: listed with the reason, said and taken back.
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useMay } from '../../api/me'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Panel } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { words } from './words'
import { dayWord, type CalendarYear, type DayOverrideItem } from './year'

export function Overrides({ of, begin }: { of: CalendarYear; begin: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const { lang } = useSettings()
  const may = useMay('define')
  const [doing, setDoing] = useState<DayOverrideItem | null>(null)
  const add = may && <Button icon={Plus} onClick={begin}>{w.override}</Button>
  return (
    <Panel title={w.overrides(of.year)} flush actions={add}>
      {of.overrides.length === 0 && <p className="muted calendar-none">{w.noOverrides}</p>}
      {of.overrides.length > 0 && (
        <Table
          label={w.overrides(of.year)} rows={of.overrides} keyOf={(each) => `${each.calendar} ${each.day}`}
          columns={[
            { head: w.day, cell: (each: DayOverrideItem) => <span className="calendar-lines"><strong>{dayWord(each.day, lang)}</strong>{each.calendar !== of.name && <span className="muted">{each.calendar}</span>}</span> },
            { head: w.is, cell: (each: DayOverrideItem) => <span className="calendar-lines"><Tag tone="held">{w.says[each.kind]}</Tag>{each.hours && <span>{each.hours}</span>}</span> },
            { head: common.field.reason, cell: (each: DayOverrideItem) => <span className="calendar-lines"><span>{each.reason}</span><span className="muted">{each.set_by} · <Time at={each.set_at} /></span></span> },
            ...(may ? [{ head: <span className="hidden-text">{w.restore}</span>, cell: (each: DayOverrideItem) => <Button onClick={() => setDoing(each)}>{w.restore}</Button> }] : []),
          ]}
        />
      )}
      {doing && (
        <Act
          title={`${w.restore}: ${doing.calendar} ${doing.day}`} word={w.restore} withReason={false} onClose={() => setDoing(null)}
          action={{ method: 'DELETE', path: `/calendars/${encodeURIComponent(doing.calendar)}/days/${doing.day}` }}
        >
          {w.restoreText(doing.day)}
        </Act>
      )}
    </Panel>
  )
}

/** Says what a day is; `of` tells of which calendar, `first` of which day if that is chosen already. */
export function OverrideDay({ of, first, onClose }: { of: CalendarYear; first: string; onClose: () => void }) {
  const w = useWords(words)
  const [day, setDay] = useState(first)
  const [kind, setKind] = useState<DayOverrideItem['kind']>('closed')
  const [hours, setHours] = useState('')
  const kinds: DayOverrideItem['kind'][] = of.kind === 'exchange' ? ['closed', 'half', 'open'] : ['closed', 'open']
  const hasHours = of.kind === 'exchange' && kind !== 'closed'
  const body = { day, kind, ...(hasHours && hours.trim() ? { hours: hours.trim() } : {}) }
  return (
    <Act
      title={`${w.override}: ${of.name}`} word={w.override} needReason notYet={!day || (kind === 'half' && !hours.trim())} onClose={onClose}
      action={{ method: 'PUT', path: `/calendars/${encodeURIComponent(of.name)}/days`, body }}
    >
      <div className="stack">
        <p>{w.overrideText}</p>
        <label className="field"><span>{w.day}</span><input className="input" type="date" min={of.first} max={of.last} value={day} onChange={(event) => setDay(event.target.value)} /></label>
        <label className="field">
          <span>{w.is}</span>
          <select className="input" value={kind} onChange={(event) => setKind(event.target.value as DayOverrideItem['kind'])}>
            {kinds.map((each) => <option key={each} value={each}>{w.says[each]}</option>)}
          </select>
        </label>
        {hasHours && <label className="field"><span>{w.hoursIn(of.timezone)}</span><input className="input" placeholder="09:30-11:30 13:00-14:00" value={hours} onChange={(event) => setHours(event.target.value)} /></label>}
      </div>
    </Act>
  )
}
