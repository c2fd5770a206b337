// Versions: what there is, what changed between any two, which one new runs take, and drafts of any of them.
import { Archive, Ellipsis, PencilLine, Rocket, Trash2, Undo2 } from 'lucide-react'
import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useAction, useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Menu, type MenuItem } from '../../ui/Menu'
import { Loaded, Problem } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import { Activate } from './Activate'
import { Difference } from './Difference'
import type { VersionItem } from './types'
import { words } from './words'

type Doing = { what: 'activate' | 'archive' | 'drop'; version: VersionItem }

export default function VersionsTab({ of: x }: { of: WorkflowDetail }) {
  const found = useOne<VersionItem[]>(`/workflows/${encodeURIComponent(x.workflow)}/versions`, {}, { every: 15_000 })
  return <Loaded of={found}>{(versions) => <Listed workflow={x.workflow} versions={versions} />}</Loaded>
}

function Listed({ workflow, versions }: { workflow: string; versions: VersionItem[] }) {
  const w = useWords(words)
  const [doing, setDoing] = useState<Doing | null>(null)
  const newest = versions[0]
  const [from, setFrom] = useQueryState('from', String(versions[1]?.version ?? ''))
  const [to, setTo] = useQueryState('to', String(newest?.version ?? ''))
  const active = versions.find((v) => v.state === 'ACTIVE')?.version ?? null
  return (
    <>
      <Table
        label={w.versions} rows={versions} keyOf={(v) => v.version}
        columns={[
          { head: w.number, width: '5rem', cell: (v) => <strong>{v.version}</strong> },
          { head: w.state, width: '13rem', cell: (v) => <span className="row"><Chip state={v.state} />{v.faults.length > 0 && <Tag tone="bad" title={v.faults.map((fault) => `${fault.where} ${fault.message}`).join('\n')}>{w.faults(v.faults.length)}</Tag>}</span> },
          { head: w.share, width: '5rem', right: true, cell: (v) => (v.share > 0 ? `${Math.round(v.share * 100)} %` : <span className="muted">–</span>) },
          { head: w.created, width: '17.5rem', cell: (v) => <Time at={v.created_at} as="full" />, wide: true },
          { head: w.createdBy, cell: (v) => v.created_by ?? (v.file ? <span title={v.file}>{shortPath(v.file)}</span> : v.source) ?? '–', wide: true },
          { head: w.note, cell: (v) => v.note ?? <span className="muted">–</span>, wide: true },
          { head: <span className="hidden-text">{w.activate}</span>, width: '10.5rem', right: true, cell: (v) => <Doings workflow={workflow} version={v} active={active} doing={setDoing} /> },
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
      {doing && <Dialogs workflow={workflow} doing={doing} active={active} onClose={() => setDoing(null)} />}
    </>
  )
}

/** The one thing to do with a version as a button, everything else in a menu. */
function Doings({ workflow, version: v, active, doing }: { workflow: string; version: VersionItem; active: number | null; doing: (doing: Doing) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const define = useMay('define')
  const [, go] = useLocation()
  const path = `/workflows/${encodeURIComponent(workflow)}/versions`
  const edit = `${path}/${v.version}/edit`
  const copy = useAction<{ version: number }>((reply) => go(`${path}/${reply.data.version}/edit`))
  if (!define) return <Link href={edit}>{w.look}</Link>
  const isDraft = v.state === 'DRAFT'
  const older = active !== null && v.version < active && !isDraft
  const items: MenuItem[] = [
    { word: isDraft ? w.copyDraft : w.look, act: () => (isDraft ? copy.mutate({ path, body: { copy_of: v.version } }) : go(edit)) },
    ...(v.state === 'ACTIVE' ? [] : [{ word: common.do.asks(older ? w.rollBack : w.activate), icon: older ? Undo2 : Rocket, act: () => doing({ what: 'activate', version: v }) }]),
    ...(isDraft ? [
      { word: common.do.asks(w.archive), icon: Archive, act: () => doing({ what: 'archive', version: v }) },
      { word: common.do.asks(w.drop), icon: Trash2, danger: true, act: () => doing({ what: 'drop', version: v }) },
    ] : []),
  ]
  return (
    <span className="version-doings">
      {isDraft ? <Link className="button" href={edit}><PencilLine aria-hidden size={15} /><span>{w.edit}</span></Link> : <Button disabled={copy.isPending} onClick={() => copy.mutate({ path, body: { copy_of: v.version } })}>{w.copyDraft}</Button>}
      <Menu title={w.more(v.version)} icon={Ellipsis} look="bare" items={items} />
      {copy.error && <Problem error={copy.error} />}
    </span>
  )
}

function Dialogs({ workflow, doing: { what, version: v }, active, onClose }: { workflow: string; doing: Doing; active: number | null; onClose: () => void }) {
  const w = useWords(words)
  const path = `/workflows/${encodeURIComponent(workflow)}/versions/${v.version}`
  if (what === 'archive') return <Act title={w.archiveTitle(v.version)} word={w.archive} onClose={onClose} action={{ path: `${path}/archive` }}>{w.archiveText}</Act>
  if (what === 'drop') return <Act title={w.dropTitle(v.version)} word={w.drop} danger withReason={false} onClose={onClose} action={{ method: 'DELETE', path, etag: `"${v.hash}"` }}>{w.dropText}</Act>
  const older = active !== null && v.version < active && v.state !== 'DRAFT'
  const notYet = v.faults.length > 0 ? <ul className="version-faults">{v.faults.map((fault, i) => <li key={i}><code>{fault.where}</code> {fault.message}</li>)}</ul> : undefined
  return <Activate workflow={workflow} version={v.version} active={active} title={older ? w.rollBackTitle(v.version) : w.activateTitle(v.version)} word={older ? w.rollBack : w.activate} onClose={onClose} notYet={notYet} />
}

function Pick({ label, versions, chosen, choose }: { label: string; versions: VersionItem[]; chosen: string; choose: (value: string) => void }) {
  return (
    <select className="input" aria-label={label} value={chosen} onChange={(event) => choose(event.target.value)}>
      {versions.map((v) => <option key={v.version} value={v.version}>{v.version} · {v.state}</option>)}
    </select>
  )
}
