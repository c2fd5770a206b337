// Versions: what there is, what changed between any two, and which one new runs take.
import { useState } from 'react'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { Difference } from './Difference'
import type { VersionItem } from './types'
import { words } from './words'

export default function VersionsTab({ of: x }: { of: WorkflowDetail }) {
  const found = useOne<VersionItem[]>(`/workflows/${encodeURIComponent(x.workflow)}/versions`, {}, { every: 15_000 })
  return <Loaded of={found}>{(versions) => <Listed workflow={x.workflow} versions={versions} />}</Loaded>
}

function Listed({ workflow, versions }: { workflow: string; versions: VersionItem[] }) {
  const w = useWords(words)
  const define = useMay('define')
  const [activating, setActivating] = useState<VersionItem | null>(null)
  const newest = versions[0]
  const [from, setFrom] = useQueryState('from', String(versions[1]?.version ?? ''))
  const [to, setTo] = useQueryState('to', String(newest?.version ?? ''))
  return (
    <>
      <Table
        label={w.versions} rows={versions} keyOf={(v) => v.version}
        columns={[
          { head: w.number, width: '6rem', cell: (v) => <strong>{v.version}</strong> },
          { head: w.state, width: '10rem', cell: (v) => <Chip state={v.state} /> },
          { head: w.share, width: '5rem', right: true, cell: (v) => (v.share > 0 ? `${Math.round(v.share * 100)} %` : <span className="muted">–</span>) },
          { head: w.created, width: '17.5rem', cell: (v) => <Time at={v.created_at} as="full" />, wide: true },
          { head: w.createdBy, cell: (v) => v.activated_by ?? (v.file ? shortPath(v.file) : v.source) ?? '–', wide: true },
          { head: w.note, cell: (v) => v.note ?? <span className="muted">–</span>, wide: true },
          { head: w.hash, width: '8rem', cell: (v) => <code className="muted">{v.hash.slice(0, 10)}</code>, wide: true },
          { head: <span className="hidden-text">{w.activate}</span>, width: '7rem', cell: (v) => (define && v.state !== 'ACTIVE' ? <Button onClick={() => setActivating(v)}>{w.activate} …</Button> : null) },
        ]}
      />
      {versions.length < 2 ? <Empty title={w.oneVersion}>{w.oneVersionMore}</Empty> : (
        <>
          <div className="versions-compare">
            <strong>{w.compare}</strong>
            <Pick label={w.compare} versions={versions} chosen={from} choose={setFrom} />
            <span>{w.against}</span>
            <Pick label={w.against} versions={versions} chosen={to} choose={setTo} />
          </div>
          <Difference workflow={workflow} from={from} to={to} />
        </>
      )}
      {activating && <Activate workflow={workflow} version={activating} active={versions.find((v) => v.state === 'ACTIVE')} onClose={() => setActivating(null)} />}
    </>
  )
}

function Pick({ label, versions, chosen, choose }: { label: string; versions: VersionItem[]; chosen: string; choose: (value: string) => void }) {
  return (
    <select className="input" aria-label={label} value={chosen} onChange={(event) => choose(event.target.value)}>
      {versions.map((v) => <option key={v.version} value={v.version}>{v.version} · {v.state}</option>)}
    </select>
  )
}

/** Shows what would change before anything does. */
function Activate({ workflow, version: v, active, onClose }: { workflow: string; version: VersionItem; active?: VersionItem; onClose: () => void }) {
  const w = useWords(words)
  const [weight, setWeight] = useState(100)
  return (
    <Act
      title={w.activateTitle(v.version)} word={w.activate} onClose={onClose}
      action={{ path: `/workflows/${encodeURIComponent(workflow)}/versions/${v.version}/activate`, body: { weight } }}
    >
      <div className="stack">
        <p>{w.activateText(v.version)}</p>
        <label className="field"><span>{w.weight}</span><input className="input" type="number" min={1} max={100} value={weight} onChange={(event) => setWeight(Number(event.target.value))} /></label>
        {active && <Difference workflow={workflow} from={String(active.version)} to={String(v.version)} />}
      </div>
    </Act>
  )
}
