// All workflows: which one is red, and since when.
import { Plus } from 'lucide-react'
import { lazy, Suspense, useMemo, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useQuerySet, useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters, Head } from '../../ui/Panel'
import { Table, type Column } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { Actions } from './Actions'
import { RunBars } from './RunBars'
import type { WorkflowItem } from './types'
import { words } from './words'
import './workflows.css'

const NewWorkflow = lazy(() => import('../editor/NewWorkflow'))

export default function Workflows() {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  const [q, setQ] = useQueryState('q')
  const [domain, setDomain] = useQueryState('domain')
  const [tag, setTag] = useQueryState('tag')
  const [archived, setArchived] = useQueryState('archived')
  const [order, setOrder] = useQueryState('order', 'red')
  const clear = useQuerySet()
  const define = useMay('define')
  const [isNew, setNew] = useQueryState('new')
  const found = useList<WorkflowItem>('/workflows', { q, domain, tag, archived: archived ? true : null, limit: 200 }, { keep: true, every: 10_000, topic: 'instances', also: 10_000 })
  const items = useMemo(() => sorted(found.items ?? [], order), [found.items, order])
  const domains = useDomains(found.items)
  const filtered = q !== '' || domain !== '' || tag !== ''
  const red = items.filter((x) => x.runs[0]?.state === 'FAILED').length
  return (
    <>
      <Head title={w.title} name={w.title} actions={define && <Button icon={Plus} look="main" onClick={() => setNew('1')}>{common.do.asks(w.new)}</Button>}>
        {found.items && <span>{w.count(items.length, found.more !== null)}</span>}
        {red > 0 && <Tag tone="bad">{w.failingCount(red)}</Tag>}
      </Head>
      <Filters>
        <input className="input" type="search" placeholder={w.find} aria-label={w.find} value={q} onChange={(e) => setQ(e.target.value)} />
        <select className="input" aria-label={w.domain} value={domain} onChange={(e) => setDomain(e.target.value)}>
          <option value="">{w.anyDomain}</option>
          {domains.map((d) => <option key={d} value={d}>{d}</option>)}
        </select>
        {tag && <Button onClick={() => setTag('')}>{w.tag}: {tag} ×</Button>}
        <select className="input" aria-label={w.order} value={order} onChange={(e) => setOrder(e.target.value)}>
          <option value="red">{w.redFirst}</option>
          <option value="name">{w.byName}</option>
        </select>
        <label className="row"><input type="checkbox" checked={archived !== ''} onChange={(e) => setArchived(e.target.checked ? '1' : '')} />{w.withArchived}</label>
      </Filters>
      <LoadedList of={found} lines={8} empty={filtered
        ? <Empty title={common.empty.noMatch} onClear={() => clear({ q: '', domain: '', tag: '' })} />
        : <Empty title={w.emptyTitle} code={'cp starter/workflows/hello.yaml workflows/'}>{w.emptyMore}</Empty>}>
        {() => <Table label={w.title} columns={columns(w, setTag)} rows={items} keyOf={(x) => x.workflow} open={(x) => go(`/workflows/${encodeURIComponent(x.workflow)}`)} />}
      </LoadedList>
      {isNew && define && <Suspense fallback={null}><NewWorkflow onClose={() => setNew('')} /></Suspense>}
    </>
  )
}

const columns = (w: typeof words.en, setTag: (tag: string) => void): Column<WorkflowItem>[] => [
  { head: w.workflow, cell: (x) => <Name of={x} setTag={setTag} /> },
  { head: w.runs, width: '15.5rem', cell: (x) => <RunBars runs={x.runs} />, wide: true },
  { head: w.last, width: 'min(15rem, 42vw)', cell: (x) => <Last of={x} /> },
  { head: w.open, width: '4rem', right: true, wide: true, cell: (x) => (x.open ? <Link href={`/instances?workflow=${encodeURIComponent(x.workflow)}&state=READY,RUNNING,PAUSED`}>{x.open}</Link> : <span className="muted">0</span>) },
  { head: w.next, width: '8rem', right: true, wide: true, cell: (x) => (x.next_fire_at ? <Time at={x.next_fire_at} /> : <span className="muted">{w.noSchedule}</span>) },
  { head: <span className="hidden-text">{w.actions('')}</span>, width: '3rem', cell: (x) => <ActionsIfAllowed of={x} /> },
]

function Name({ of: x, setTag }: { of: WorkflowItem; setTag: (tag: string) => void }) {
  const w = useWords(words)
  return (
    <div className="workflow-name">
      <div className="row">
        <Link className="strong" href={`/workflows/${encodeURIComponent(x.workflow)}`}>{x.workflow}</Link>
        {x.error && <Tag tone="bad" title={`${x.version ? w.fileFaultMore : ''}${x.error}`}>{x.version ? w.fileFault : w.noVersion}</Tag>}
        {!x.enabled && x.version !== null && !x.archived_at && <Tag tone="held">{w.off}</Tag>}
        {x.version === null && !x.error && <Tag tone="held">{w.draftOnly}</Tag>}
        {x.archived_at && <Tag>{w.archived}</Tag>}
        {x.warning && <Tag tone="held" title={x.warning}>{w.warns}</Tag>}
        {x.canary_version && <Tag tone="odd">{w.canary(Math.round((x.canary_share ?? 0) * 100))}</Tag>}
      </div>
      <div className="row muted under">
        <span className="cut">{[x.domain, x.title !== x.workflow && x.title].filter(Boolean).join(' · ')}</span>
        {x.tags.map((tag) => <button key={tag} type="button" className="tag-link" onClick={() => setTag(tag)}>#{tag}</button>)}
      </div>
    </div>
  )
}

function Last({ of: x }: { of: WorkflowItem }) {
  const last = x.runs[0]
  if (!last) return <span className="muted">–</span>
  return (
    <span className="row last-run">
      <Link href={`/instances/${last.id}`}><Chip state={last.state} /></Link>
      <span className="muted"><Time at={last.finished_at ?? last.started_at ?? last.created_at} /></span>
    </span>
  )
}

const ActionsIfAllowed = ({ of }: { of: WorkflowItem }) => (useMay('submit') ? <Actions of={of} /> : null)

const HEAT: Record<string, number> = { FAILED: 0, TERMINATED: 1, PAUSED: 2, RUNNING: 3 }
function sorted(items: WorkflowItem[], order: string): WorkflowItem[] {
  if (order !== 'red') return items
  const heat = (x: WorkflowItem) => (x.error ? 0.5 : HEAT[x.runs[0]?.state ?? ''] ?? 5)
  return [...items].sort((a, b) => heat(a) - heat(b))
}

/** Domains seen so far: a filter must not take its own choices away. */
function useDomains(items: WorkflowItem[] | undefined): string[] {
  const [seen] = useState(() => new Set<string>())
  for (const x of items ?? []) if (x.domain) seen.add(x.domain)
  return [...seen].sort()
}
