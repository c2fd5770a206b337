// One backfill beside the list: what it was asked for, its dates with their runs, and what a person can do to it.
import { useState } from 'react'
import { Link } from 'wouter'
import { useMay } from '../../api/me'
import { useList, useOne } from '../../api/queries'
import { count, duration, inZone } from '../../format'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { LoadedList } from '../../ui/LoadedList'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { useCommon, useWords } from '../../words'
import { Dates, type BackfillItem } from './Backfills'
import { words } from './words'

export interface BackfillDateItem {
  place: number
  business_date: string
  state: string
  instance_id: number | null
  instance_state: string | null
  duration_s: number | null
  error: string | null
}

type Doing = 'pause' | 'resume' | 'stop'

export function Detail({ id, onClose }: { id: string; onClose: () => void }) {
  const w = useWords(words)
  const operate = useMay('operate')
  const [doing, setDoing] = useState<Doing | null>(null)
  const path = `/backfills/${encodeURIComponent(id)}`
  const found = useOne<BackfillItem>(path)
  const verbs = operate && found.data ? verbsOf(found.data) : []
  return (
    <>
      <Dialog title={found.data ? `${found.data.workflow} #${id}` : `#${id}`} onClose={onClose} place="side" foot={verbs.map((verb) => <Button key={verb} look={verb === 'stop' ? 'danger' : undefined} onClick={() => setDoing(verb)}>{w[verb]}</Button>)}>
        <Loaded of={found} lines={8}>{(one) => <Facts of={one} />}</Loaded>
        <Runs path={`${path}/dates`} />
      </Dialog>
      {doing && <Doings what={doing} path={path} of={found.data!} onClose={() => setDoing(null)} />}
    </>
  )
}

function verbsOf(one: BackfillItem): Doing[] {
  if (one.finished_at !== null) return []
  return one.state === 'PAUSED' ? ['resume', 'stop'] : one.state === 'RUNNING' ? ['pause', 'stop'] : ['stop']
}

function Facts({ of: one }: { of: BackfillItem }) {
  const w = useWords(words)
  const { zone } = useSettings()
  const common = useCommon()
  const numbers = [[w.done, one.done], [w.failed, one.failed], [w.skipped, one.skipped], [w.active, one.active], [w.waiting, one.waiting]] as const
  return (
    <dl className="backfill-facts">
      <dt>{w.workflow}</dt><dd><Link href={`/workflows/${encodeURIComponent(one.workflow)}`}>{one.workflow}</Link></dd>
      <dt>{w.state}</dt><dd className="row"><Chip state={one.state} />{one.wait_reason && <span>{inZone(one.wait_reason, zone)}</span>}</dd>
      <dt>{w.range}</dt><dd>{one.first_date} – {one.last_date}, {one.calendar ? w.sessions(one.calendar) : w.days}{one.only_missing && `, ${w.onlyMissing}`}</dd>
      <dt>{w.order}</dt><dd>{w.orders[one.date_order] ?? one.date_order}</dd>
      <dt>{w.atOnce}</dt><dd>{w.most(one.max_active, one.priority)}</dd>
      {one.day_window && <><dt>{w.window}</dt><dd>{one.day_window} {one.timezone}</dd></>}
      <dt>{w.progress}</dt><dd><Dates of={one} /><br />{numbers.map(([word, n]) => `${word} ${count(n)}`).join(' · ')}</dd>
      <dt>{w.left}</dt><dd>{one.remaining_s === null ? '–' : duration(one.remaining_s, common)}</dd>
      {one.requested_by && <><dt>{w.by}</dt><dd>{one.requested_by}{one.reason && `: ${one.reason}`}</dd></>}
    </dl>
  )
}

function Runs({ path }: { path: string }) {
  const w = useWords(words)
  const common = useCommon()
  const found = useList<BackfillDateItem>(path, { limit: 100 })
  return (
    <LoadedList of={found} lines={5} empty={null}>
      {(dates) => (
        <Table
          label={w.dates} rows={dates} keyOf={(one) => one.place}
          columns={[
            { head: w.date, width: '8rem', cell: (one) => one.business_date },
            { head: w.state, cell: (one) => <Chip state={signOf(one)} title={one.error ?? undefined} /> },
            { head: w.took, width: '7rem', right: true, cell: (one) => one.duration_s !== null && duration(one.duration_s, common) },
            { head: w.run, width: '6rem', right: true, cell: (one) => one.instance_id && <Link href={`/instances/${one.instance_id}`}>#{one.instance_id}</Link> },
          ]}
        />
      )}
    </LoadedList>
  )
}

/** Of a date: the state of its run; where it has none, why. */
function signOf(one: BackfillDateItem): string {
  if (one.instance_state) return one.instance_state
  return { SKIPPED: 'SKIPPED', FAILED: 'REJECTED' }[one.state] ?? 'PENDING'
}

function Doings({ what, path, of: one, onClose }: { what: Doing; path: string; of: BackfillItem; onClose: () => void }) {
  const w = useWords(words)
  const [terminate, setTerminate] = useState(one.state === 'STOPPING')
  const word = w[what].replace(/ ?…+$/, '')
  const body = what === 'stop' && terminate ? { terminate } : {}
  return (
    <Act title={`${word}: ${one.workflow} #${one.id}`} word={word} danger={what === 'stop'} onClose={onClose} action={{ path: `${path}/${what}`, body }}>
      <p>{w[`${what}Text`](count(one.active), count(one.waiting))}</p>
      {what === 'stop' && one.active > 0 && <label><input type="checkbox" checked={terminate} onChange={(event) => setTerminate(event.target.checked)} /> {w.terminate(count(one.active))}</label>}
    </Act>
  )
}
