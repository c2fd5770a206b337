// One schedule beside the line: what it says, what comes in its zone and in mine, what has fired, and what people do to it.
import { useState } from 'react'
import { Link } from 'wouter'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { absolute, inZone, zoneName } from '../../format'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { Chip, Tag } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { Doings, type Doing } from './Doings'
import { isOff, titleOf, type ComingFire, type FireItem, type ScheduleItem } from './lanes'
import { words } from './words'

interface ScheduleFires {
  past: FireItem[]
  next: ComingFire[]
  note: string | null
}

export function Detail({ of: one, onClose }: { of: ScheduleItem; onClose: () => void }) {
  const w = useWords(words)
  const [operate, define] = [useMay('operate'), useMay('define')]
  const mine = useSettings().zone
  const [doing, setDoing] = useState<Doing | null>(null)
  const path = `/workflows/${encodeURIComponent(one.workflow)}/schedules/${encodeURIComponent(one.name)}`
  const found = useOne<ScheduleFires>(`${path}/fires`, { next: 12, past: 20 }, { every: 15_000 })
  const possible: Doing[] = [
    ...(operate ? [one.enabled ? 'disable' as const : 'enable' as const, 'fire' as const] : []),
    ...(define ? ['set' as const] : []),
    ...(define && one.set_by ? ['reset' as const] : []),
  ]
  return (
    <>
      <Dialog title={titleOf(one)} onClose={onClose} place="side" foot={possible.length > 0 && <div className="row wrap">{possible.map((each) => <Button key={each} onClick={() => setDoing(each)}>{w[each]}</Button>)}</div>}>
        <dl className="schedule-facts">
          <dt>{w.workflow}</dt><dd><Link href={`/workflows/${encodeURIComponent(one.workflow)}`}>{one.workflow}</Link></dd>
          <dt>{w.state}</dt><dd className="row">{isOff(one) ? <Tag tone="held">{w.off}</Tag> : <Chip state="ACTIVE" title={w.active} />}{one.wait_reason && <span>{inZone(one.wait_reason, mine)}</span>}</dd>
          <dt>{w.cron}</dt><dd><code>{one.times}</code></dd>
          {one.calendar && <><dt>{w.calendar}</dt><dd><Link href={`/calendars?name=${encodeURIComponent(one.calendar)}`}>{one.calendar}</Link></dd></>}
          {!one.start_on && <><dt>{w.zone}</dt><dd>{one.timezone}</dd><dt>{w.catchup}</dt><dd>{catchupWord(one.catchup, w)}</dd></>}
          <dt>{w.source}</dt><dd>{w.sources[one.source] ?? one.source}</dd>
          {one.set_by && <><dt>{w.setBy}</dt><dd>{w.setText(one.set_by, absolute(one.set_at ?? '', mine), one.file_says ?? '')}{one.set_reason && <p className="muted">{one.set_reason}</p>}</dd></>}
        </dl>
        <Loaded of={found} lines={5}>{(fires) => <Fires of={fires} zone={one.timezone} none={isOff(one) ? w.noComing : w.onFactMore} />}</Loaded>
      </Dialog>
      {doing && <Doings what={doing} of={one} path={path} onClose={() => setDoing(null)} />}
    </>
  )
}

function catchupWord(catchup: string, w: typeof words.en): string {
  const many = /^all\((\d+)\)$/.exec(catchup)
  return many ? w.catchupAll(many[1]!) : (w.catchups[catchup] ?? catchup)
}

function Fires({ of: fires, zone, none }: { of: ScheduleFires; zone: string; none: string }) {
  const w = useWords(words)
  const mine = useSettings().zone
  const elsewhere = zoneName(mine) !== zone
  const there = elsewhere ? [{ head: w.there(zone), cell: (fire: ComingFire) => <time dateTime={fire.at}>{absolute(fire.at, zone)}</time> }] : []
  return (
    <div className="stack">
      <h3>{w.coming}</h3>
      {fires.next.length === 0 ? <p className="muted">{fires.note ?? none}</p> : (
        <Table
          label={w.coming} rows={fires.next} keyOf={(fire) => fire.at}
          columns={[...there, { head: w.here, cell: (fire) => <Time at={fire.at} as="full" /> }, { head: w.day, width: '7rem', cell: (fire) => fire.business_date }]}
        />
      )}
      <h3>{w.past}</h3>
      {fires.past.length === 0 ? <p className="muted">{w.noPast}</p> : (
        <Table
          label={w.past} rows={fires.past} keyOf={(fire) => fire.at}
          columns={[
            { head: w.when, cell: (fire) => <Time at={fire.at} as="full" /> },
            { head: w.day, width: '7rem', cell: (fire) => fire.business_date },
            { head: w.state, width: '9rem', cell: (fire) => fire.state && <Chip state={fire.state} title={fire.error ?? undefined} /> },
            ...(fires.past.some((fire) => fire.fact) ? [{ head: w.fact, cell: (fire: FireItem) => fire.fact && `${w.facts[fire.fact] ?? fire.fact} ${fire.fact_id}` }] : []),
            { head: w.run, width: '5rem', right: true, cell: (fire) => fire.instance_id && <Link href={`/instances/${fire.instance_id}`}>#{fire.instance_id}</Link> },
          ]}
        />
      )}
    </div>
  )
}
