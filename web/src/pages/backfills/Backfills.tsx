// Backfills: how far each has come, how long it still takes, and why one waits; one is opened beside the list.
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import { count, duration, inZone } from '../../format'
import { useSettings } from '../../settings'
import { CountsBar } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { BeginDialog } from './BeginDialog'
import { Detail } from './Detail'
import { words } from './words'
import './backfills.css'

export interface BackfillItem {
  id: number
  workflow: string
  state: string
  first_date: string
  last_date: string
  calendar: string | null
  only_missing: boolean
  date_order: string
  max_active: number
  priority: number
  day_window: string | null
  timezone: string
  total: number
  done: number
  failed: number
  skipped: number
  active: number
  waiting: number
  remaining_s: number | null
  wait_reason: string | null
  reason: string | null
  requested_by: string | null
  created_at: string
  finished_at: string | null
}

export default function Backfills() {
  const w = useWords(words)
  const found = useList<BackfillItem>('/backfills')
  const [open, setOpen] = useQueryState('open')
  const [beginning, setBeginning] = useState(false)
  const operate = useMay('operate')
  const running = found.items?.filter((one) => one.finished_at === null).length
  return (
    <>
      <Head title={w.title} name={w.title} actions={operate && <Button icon={Plus} look="main" onClick={() => setBeginning(true)}>{w.begin}</Button>}>{running !== undefined && w.about(running)}</Head>
      <LoadedList of={found} empty={<Empty title={w.none} code={'qflowd backfill daily_bars --from 2026-01-05 --to 2026-11-20 --calendar XSHG --only-missing'}>{w.noneMore}</Empty>}>
        {(backfills) => <Listed backfills={backfills} chosen={open} open={(id) => setOpen(String(id), true)} />}
      </LoadedList>
      {beginning && <BeginDialog workflow={null} onClose={() => setBeginning(false)} />}
      {open && <Detail id={open} onClose={() => setOpen('')} />}
    </>
  )
}

function Listed({ backfills, chosen, open }: { backfills: BackfillItem[]; chosen: string; open: (id: number) => void }) {
  const w = useWords(words)
  const { zone } = useSettings()
  const common = useCommon()
  return (
    <Table
      label={w.title} rows={backfills} keyOf={(one) => one.id} open={(one) => open(one.id)} selected={(one) => String(one.id) === chosen}
      columns={[
        { head: w.workflow, cell: (one) => <><strong>{one.workflow}</strong> <span className="muted">#{one.id}</span></> },
        { head: w.state, width: '9rem', cell: (one) => <Chip state={one.state} title={one.wait_reason ? inZone(one.wait_reason, zone) : undefined} /> },
        { head: w.range, width: '15rem', cell: (one) => <>{one.first_date} – {one.last_date} <span className="muted">{one.calendar}</span></> },
        { head: w.progress, width: '16rem', cell: (one) => <Dates of={one} /> },
        { head: w.left, width: '8rem', right: true, cell: (one) => (one.remaining_s === null ? <span className="muted">–</span> : duration(one.remaining_s, common)) },
        { head: w.created, width: '8rem', wide: true, cell: (one) => <Time at={one.created_at} /> },
      ]}
    />
  )
}

/** What has become of all dates, as a bar and in numbers. */
export function Dates({ of: one }: { of: BackfillItem }) {
  const ended = one.done + one.failed + one.skipped
  return (
    <span className="backfill-dates">
      <CountsBar counts={{ SUCCESS: one.done, SKIPPED: one.skipped, FAILED: one.failed, RUNNING: one.active, PENDING: one.waiting }} />
      <span className="muted">{count(ended)} / {count(one.total)}</span>
    </span>
  )
}
