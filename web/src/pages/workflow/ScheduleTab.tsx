// When it runs by itself.
import { Link } from 'wouter'
import { inZone } from '../../format'
import { useSettings } from '../../settings'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { words } from './words'

export default function ScheduleTab({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const { zone } = useSettings()
  if (x.schedules.length === 0) return <Empty title={w.noSchedule} code={'schedule:\n  cron: "30 16 * * 1-5"\n  timezone: Asia/Shanghai'}>{w.noScheduleMore}</Empty>
  return (
    <Table
      label={w.schedule} rows={x.schedules} keyOf={(s) => s.name}
      columns={[
        { head: w.name, cell: (s) => <span className="row"><strong>{s.name}</strong>{!s.enabled && <Tag tone="held">{w.off}</Tag>}{s.set_by && <Tag tone="held" title={w.fileSays(s.file_says ?? '')}>{w.setBy(s.set_by)}</Tag>}</span> },
        { head: w.cron, cell: (s) => <span className="row"><code>{s.times}</code>{s.calendar && <Link href={`/calendars?name=${encodeURIComponent(s.calendar)}`}><Tag>{s.calendar}</Tag></Link>}</span> },
        { head: w.zone, cell: (s) => s.timezone, wide: true },
        { head: w.nextFire, cell: (s) => (s.next_fire_at ? <><Time at={s.next_fire_at} as="full" /> <span className="muted">(<Time at={s.next_fire_at} />)</span></> : <span className="muted">–</span>) },
        { head: w.lastFire, cell: (s) => <Time at={s.last_fire_at} />, wide: true },
        { head: w.waits, cell: (s) => (s.wait_reason ? <span>{inZone(s.wait_reason, zone)}</span> : <Chip state="ACTIVE" />), wide: true },
      ]}
    />
  )
}
