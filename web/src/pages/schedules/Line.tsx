// The line of time with a row a schedule: what has fired, what should have, and what comes.
import { useMemo } from 'react'
import { Link } from 'wouter'
import { absolute, clock, inZone, zoneName } from '../../format'
import { useSettings } from '../../settings'
import { Tag } from '../../ui/Chip'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { endOf, isDue, isOff, keyOf, marksOf, scale, titleOf, type Mark, type ScheduleItem, type ScheduleList } from './lanes'
import { words } from './words'

interface Props {
  schedules: ScheduleItem[]
  of: ScheduleList
  now: number
  chosen: string
  open: (one: ScheduleItem) => void
}

export function Line({ schedules, of, now, chosen, open }: Props) {
  const w = useWords(words)
  const { zone, lang } = useSettings()
  const [from, to] = [Date.parse(of.from), Date.parse(of.to)]
  const marks = useMemo(() => marksOf(of.fires, from, to), [of, from, to])
  const all = useMemo(() => scale(from, to, zoneName(zone), lang), [from, to, zone, lang])
  const at = ((now - from) / (to - from)) * 100
  return (
    <>
      <div className="lanes">
        <div className="lanes-back" aria-hidden>
          {all.map((tick) => <i key={tick.x} data-day={tick.day || undefined} style={{ left: `${tick.x}%` }}>{Math.abs(tick.x - at) > 4 && <span>{tick.text}</span>}</i>)}
          <i className="lanes-now" style={{ left: `${at}%` }}><span>{w.now}</span></i>
        </div>
        <div className="lane lane-head"><span>{w.workflow}</span><span /><span>{w.next}</span></div>
        <ul aria-label={w.title}>
          {schedules.map((one) => <Lane key={keyOf(one)} of={one} marks={marks.get(keyOf(one)) ?? []} now={now} chosen={chosen === keyOf(one)} open={() => open(one)} />)}
        </ul>
      </div>
      <p className="lane-signs" aria-label={w.signs}>
        {([['good', w.succeeded], ['bad', w.failed], ['missed', w.missed], ['other', w.other], ['due', w.overdue], ['next', w.toCome]] as const).map(([look, word]) => <span key={look}><i className="mark" data-look={look} /> {word}</span>)}
      </p>
    </>
  )
}

function Lane({ of: one, marks, now, chosen, open }: { of: ScheduleItem; marks: Mark[]; now: number; chosen: boolean; open: () => void }) {
  const w = useWords(words)
  const end = endOf(marks)
  return (
    <li className="lane" data-off={isOff(one) || undefined} data-chosen={chosen || undefined} onClick={(event) => { if (!(event.target as Element).closest('a,button')) open() }}>
      <span className="lane-name">
        <button type="button" data-row className="cut" onClick={open}>{titleOf(one)}</button>
        <span className="muted cut"><code>{one.times}</code> {one.start_on ? '' : one.calendar || one.timezone}</span>
      </span>
      <span className="lane-line" role="group" aria-label={w.fires(marks.length)}>
        {marks.map((mark) => <Sign key={mark.fire.at} of={mark} />)}
        {end !== null && <span className="lane-on" title={w.goesOn} style={{ left: `${end}%` }} />}
      </span>
      <span className="lane-next"><Next of={one} now={now} /></span>
    </li>
  )
}

function Sign({ of: { fire, x, look } }: { of: Mark }) {
  const common = useCommon()
  const w = useWords(words)
  const { zone } = useSettings()
  const word = look === 'next' ? w.toCome : look === 'due' ? w.overdue : look === 'missed' ? w.missed : (common.state[fire.state ?? ''] ?? fire.state)
  const title = [absolute(fire.at, zone), word, fire.error].filter(Boolean).join('\n')
  const shared = { className: 'mark', 'data-look': look, style: { left: `${x}%` }, title }
  return fire.instance_id ? <Link href={`/instances/${fire.instance_id}`} tabIndex={-1} aria-label={title} {...shared} /> : <i {...shared} />
}

/** When it fires next, for me and where the schedule lives; or why it does not. */
function Next({ of: one, now }: { of: ScheduleItem; now: number }) {
  const w = useWords(words)
  const { zone } = useSettings()
  if (one.start_on && !isOff(one)) return <span className="muted">{w.onFact}</span>
  if (one.next_fire_at === null) return <Tag tone="held" title={one.wait_reason ? inZone(one.wait_reason, zone) : undefined}>{w.off}</Tag>
  const elsewhere = zoneName(zone) !== one.timezone
  return (
    <>
      <span className="row">
        {isDue(one, now) && <Tag tone="bad" title={w.dueMore}>{w.due}</Tag>}
        <strong><Time at={one.next_fire_at} as="clock" /></strong> <span className="muted"><Time at={one.next_fire_at} /></span>
      </span>
      {elsewhere && <span className="muted cut" title={absolute(one.next_fire_at, one.timezone)}>{clock(one.next_fire_at, one.timezone, now)} {one.timezone.replace(/^.*\//, '').replaceAll('_', ' ')}</span>}
    </>
  )
}
