// One workflow: what it is, how its runs went, task by task, and its versions.
import { Pause, Play, StepForward } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { inZone, shortPath } from '../../format'
import { useKeys } from '../../keys'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Head } from '../../ui/Panel'
import { Fence, Loaded, Waiting } from '../../ui/Problem'
import { Tabs } from '../../ui/Tabs'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { Doings, useTurn, type Doing } from '../workflows/Actions'
import type { WorkflowDetail } from '../workflows/types'
import { GridTab } from './GridTab'
import { words } from './words'
import './workflow.css'

const GraphTab = lazy(() => import('./GraphTab'))
const VersionsTab = lazy(() => import('./VersionsTab'))
const SourceTab = lazy(() => import('./SourceTab'))
const ScheduleTab = lazy(() => import('./ScheduleTab'))
const YearTab = lazy(() => import('./YearTab'))

export default function Workflow({ id }: { id: string }) {
  const found = useOne<WorkflowDetail>(`/workflows/${encodeURIComponent(id)}`, {}, { every: 10_000, topic: 'instances', also: 10_000 })
  return <Loaded of={found} lines={9}>{(x) => <Whole of={x} />}</Loaded>
}

function Whole({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const [tab, setTab] = useQueryState('tab', x.version === null ? 'versions' : 'grid')
  const [doing, setDoing] = useState<Doing | null>(null)
  const submit = useMay('submit') && x.version !== null && x.archived_at === null
  const turn = useTurn(x)
  useKeys({ t: () => submit && setDoing('start'), p: () => turn && setDoing(turn) })
  return (
    <>
      <Head
        title={x.title || x.workflow} name={x.workflow} above={<Above of={x} />}
        actions={
          <>
            {turn && <Button icon={turn === 'resume' ? StepForward : Pause} title="p" onClick={() => setDoing(turn)}>{turn === 'resume' ? w.resume : w.pause}</Button>}
            {submit && <Button icon={Play} look="main" onClick={() => setDoing('start')}>{w.start}</Button>}
          </>
        }
      >
        <Line of={x} />
      </Head>
      <Faults of={x} />
      <Tabs label={w.tabs} chosen={tab} choose={(name) => setTab(name)} tabs={(['grid', 'year', 'graph', 'versions', 'schedule', 'source'] as const).map((name) => ({ name, word: w[name] }))} />
      <div className="tab-body" role="tabpanel" aria-label={tab}>
        <Fence name={tab}>
          <Suspense fallback={<Waiting lines={5} />}>
            {tab === 'year' ? <YearTab of={x} /> : tab === 'graph' ? <GraphTab of={x} /> : tab === 'versions' ? <VersionsTab of={x} /> : tab === 'source' ? <SourceTab of={x} /> : tab === 'schedule' ? <ScheduleTab of={x} /> : <GridTab of={x} />}
          </Suspense>
        </Fence>
      </div>
      {doing && <Doings workflow={x.workflow} doing={doing} onClose={() => setDoing(null)} />}
    </>
  )
}

function Above({ of: x }: { of: WorkflowDetail }) {
  const common = useCommon()
  return <><Link href="/workflows">{common.nav.workflows}</Link>{x.domain && <> · <Link href={`/workflows?domain=${encodeURIComponent(x.domain)}`}>{x.domain}</Link></>} · <span className="mono">{x.workflow}</span></>
}

function Line({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const next = x.schedules.filter((s) => s.next_fire_at).sort((a, b) => a.next_fire_at!.localeCompare(b.next_fire_at!))[0]
  return (
    <>
      {x.version !== null && <span>{w.version(x.version)}</span>}
      {x.archived_at && <Tag>{w.archived}</Tag>}
      {!x.enabled && x.version !== null && <Tag tone="held">{w.off}</Tag>}
      {x.file && <span className="mono" title={x.file}>{shortPath(x.file)}</span>}
      {next ? <span>{w.next} <Time at={next.next_fire_at} as="full" /> (<Time at={next.next_fire_at} />)</span> : <span className="muted">{w.byHand}</span>}
      {x.tags.map((tag) => <Link key={tag} href={`/workflows?tag=${encodeURIComponent(tag)}`}>#{tag}</Link>)}
    </>
  )
}

function Faults({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const { zone } = useSettings()
  return (
    <>
      {x.description && <p className="description">{x.description}</p>}
      {x.error && <div className="fault" role="status"><strong>{x.version ? w.fileFault : w.neverLoaded}</strong> <span className="mono">{x.error}</span></div>}
      {x.warning && <div className="fault" data-mild role="status"><strong>{w.lacks}</strong> <span className="mono">{x.warning}</span></div>}
      {x.wait_reason && <div className="fault" data-mild role="status">{inZone(x.wait_reason, zone)}</div>}
    </>
  )
}
