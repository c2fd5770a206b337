// What there is to run work: who is alive, how full, and what waits for which pool.
import { Link } from 'wouter'
import { useOne } from '../../api/queries'
import type { DaemonItem } from '../../api/overview'
import { count, megabytes } from '../../format'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Head, Panel } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { Slots } from '../../ui/Slots'
import { Table } from '../../ui/Table'
import { Time, Took } from '../../ui/Time'
import { useWords } from '../../words'
import { words } from './words'

interface PoolItem {
  pool: string
  daemon: string
  processes: number
  threads: number
  busy: number
  ready_tasks: number
}

export default function Daemons() {
  const w = useWords(words)
  const daemons = useOne<DaemonItem[]>('/daemons', {}, { topic: 'overview' })
  const pools = useOne<PoolItem[]>('/pools')
  const versions = new Set(daemons.data?.map((d) => d.version))
  return (
    <>
      <Head title={w.title} name={w.title}>{daemons.data && <span>{w.total(daemons.data.length)}</span>}</Head>
      {versions.size > 1 && <p className="warning" role="status">{w.mixed}</p>}
      <div className="stack">
        <Loaded of={daemons} lines={3}>{(list) => (list.length === 0 ? <Empty title={w.none} code="qflowd run">{w.noneMore}</Empty> : <Alive daemons={list} versions={versions.size} />)}</Loaded>
        <Panel title={w.pools} flush><Loaded of={pools} lines={3}>{(list) => <Pools pools={list} />}</Loaded></Panel>
      </div>
    </>
  )
}

function Alive({ daemons, versions }: { daemons: DaemonItem[]; versions: number }) {
  const w = useWords(words)
  return (
    <Table
      label={w.title} rows={daemons} keyOf={(d) => d.id}
      columns={[
        { head: w.state, width: '8.5rem', cell: (d) => <Chip of="DAEMON" state={d.state} /> },
        { head: w.name, cell: (d) => <span><strong>{d.name}</strong> {d.pid !== null && <span className="muted">{d.host} · {d.pid}</span>}</span> },
        { head: w.slots, width: '17rem', cell: (d) => <Slots busy={d.busy ?? 0} slots={d.slots ?? 0} /> },
        { head: w.memory, width: '6rem', right: true, cell: (d) => megabytes(d.memory_mb) },
        { head: w.jobs, width: '8rem', right: true, wide: true, cell: (d) => <>{count(d.jobs)} {d.faulty_files > 0 && <Link href="/jobs"><Tag tone="bad">{w.faulty(d.faulty_files)}</Tag></Link>}</> },
        { head: w.version, width: '6rem', wide: true, cell: (d) => (versions > 1 ? <Tag tone="held">{d.version}</Tag> : d.version) },
        { head: w.up, width: '8rem', right: true, wide: true, cell: (d) => <Took since={d.started_at} /> },
        { head: w.seen, width: '7rem', right: true, cell: (d) => <Time at={d.seen_at} /> },
      ]}
    />
  )
}

function Pools({ pools }: { pools: PoolItem[] }) {
  const w = useWords(words)
  return (
    <Table
      label={w.pools} rows={pools} keyOf={(p) => `${p.pool} ${p.daemon}`}
      columns={[
        { head: w.pool, cell: (p) => <strong>{p.pool}</strong> },
        { head: w.daemon, cell: (p) => p.daemon },
        { head: w.busy, width: '17rem', cell: (p) => <Slots busy={p.busy} slots={p.processes * p.threads} /> },
        { head: w.processes, width: '7rem', right: true, wide: true, cell: (p) => count(p.processes) },
        { head: w.threads, width: '8rem', right: true, wide: true, cell: (p) => count(p.threads) },
        { head: w.ready, width: '9rem', right: true, cell: (p) => (p.ready_tasks > 0 ? <strong>{count(p.ready_tasks)}</strong> : <span className="muted">0</span>) },
      ]}
    />
  )
}
