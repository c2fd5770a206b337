// One type or definition beside the list: what it says, what uses it, and what can be done with it.
import { useState } from 'react'
import { Link } from 'wouter'
import { useMay } from '../../api/me'
import { useTagged } from '../../api/queries'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Json } from '../../ui/Json'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { DefinitionForm } from './DefinitionForm'
import { nameOf, PAGES, pathOf, rowsOf, type Kind, type TaskDefinitionDetail, type TaskTypeDetail } from './model'
import { Flags, MadeOf, Source } from './Stored'
import { TryDialog } from './TryDialog'
import { TypeForm } from './TypeForm'
import { words } from './words'

type Both = TaskTypeDetail | TaskDefinitionDetail

export function Detail({ kind, name, onClose }: { kind: Kind; name: string; onClose: () => void }) {
  const w = useWords(words)
  const found = useTagged<Both>(pathOf(kind, name))
  const [define, submit] = [useMay('define'), useMay('submit')]
  const [doing, setDoing] = useState<'edit' | 'drop' | 'try' | null>(null)
  const one = found.data?.data
  // Files are named to few, where a definition comes from to all.
  const isOfFile = one?.source === 'file' || !!one?.file
  const close = () => setDoing(null)
  return (
    <>
      <Dialog title={name} onClose={onClose} place="side" foot={one && (
        <>
          {define && <Button look="bare" disabled={isOfFile} title={isOfFile ? w.dropFile : undefined} onClick={() => setDoing('drop')}>{w.drop}</Button>}
          {define && !one.archived_at && <Button onClick={() => setDoing('edit')}>{w.edit}</Button>}
          {submit && !one.archived_at && <Button look="main" onClick={() => setDoing('try')}>{w.tryIt}</Button>}
        </>
      )}>
        <Loaded of={found}>{({ data }) => <Told kind={kind} of={data} />}</Loaded>
      </Dialog>
      {one && doing === 'try' && <TryDialog kind={kind} of={one} onClose={close} />}
      {one && doing === 'edit' && kind === 'type' && <TypeForm of={one as TaskTypeDetail} etag={found.data!.etag} onClose={close} />}
      {one && doing === 'edit' && kind === 'definition' && <DefinitionForm of={one as TaskDefinitionDetail} etag={found.data!.etag} onClose={close} />}
      {one && doing === 'drop' && <Drop kind={kind} of={one} etag={found.data!.etag} onClose={close} done={onClose} />}
    </>
  )
}

function Told({ kind, of: one }: { kind: Kind; of: Both }) {
  const w = useWords(words)
  return (
    <div className="stack">
      <dl className="stored-facts">
        <dt>{w.of}</dt><dd className="row"><MadeOf of={one} kind={kind} /><Flags of={one} /></dd>
        <dt>{w.source}</dt><dd><Source of={one} /></dd>
        <dt>{w.changed}</dt><dd><Time at={one.updated_at} as="full" /> {one.updated_by && <span className="muted">{w.by(one.updated_by)}</span>}</dd>
        {one.note && <><dt>{w.note}</dt><dd>{one.note}</dd></>}
      </dl>
      {one.error && <pre className="stored-error" tabIndex={0}>{one.error}</pre>}
      <h3>{w.params}</h3>
      {kind === 'type' ? <TypeParams of={one as TaskTypeDetail} /> : <Values of={one as TaskDefinitionDetail} />}
      <h3>{w.settings}</h3>
      {Object.keys(one.settings).length === 0 ? <p className="muted">{w.noSettings}</p> : <Json value={one.settings} label={w.settings} />}
      <h3>{w.usedBy}</h3>
      <UsedBy of={one} />
    </div>
  )
}

function TypeParams({ of: one }: { of: TaskTypeDetail }) {
  const w = useWords(words)
  const rows = rowsOf(one.params_schema)
  if (rows.length === 0) return <p className="muted">{w.noParams}</p>
  return (
    <Table
      label={w.params} rows={rows} keyOf={(row) => row.name}
      columns={[
        { head: w.param, cell: (row) => <span><code>{row.name}</code> <span className="muted">{row.title}</span></span> },
        { head: w.kind, width: '7rem', cell: (row) => (row.type || <span className="muted">{w.other}</span>) },
        { head: w.fallback, width: '10rem', cell: (row) => (row.name in one.defaults ? <code>{row.fallback}</code> : <span className="muted">{w.needed}</span>) },
      ]}
    />
  )
}

function Values({ of: one }: { of: TaskDefinitionDetail }) {
  const w = useWords(words)
  const rows = Object.entries(one.params)
  if (rows.length === 0) return <p className="muted">{w.noParams}</p>
  return <Table label={w.params} rows={rows} keyOf={([name]) => name} columns={[{ head: w.param, width: '12rem', cell: ([name]) => <code>{name}</code> }, { head: w.value, cell: ([, value]) => <code className="stored-value">{typeof value === 'string' ? value : JSON.stringify(value)}</code> }]} />
}

function UsedBy({ of: one }: { of: Both }) {
  const w = useWords(words)
  const definitions = 'definitions' in one ? one.definitions : []
  if (definitions.length + one.workflows.length === 0) return <p className="muted">{w.unused}</p>
  const lists: [string, string, string[]][] = [[w.definitions, `${PAGES.definition}?open=`, definitions], [w.workflows, '/workflows/', one.workflows]]
  return (
    <dl className="stored-facts">
      {lists.filter(([, , names]) => names.length > 0).map(([word, href, names]) => [
        <dt key={word}>{word}</dt>,
        <dd key={`${word}n`} className="stored-users">{names.map((name) => <Link key={name} href={`${href}${encodeURIComponent(name)}`}>{name}</Link>)}</dd>,
      ])}
    </dl>
  )
}

/** What uses it stands before the question: while there is any, there is nothing to confirm. */
function Drop({ kind, of: one, etag, onClose, done }: { kind: Kind; of: Both; etag: string | null; onClose: () => void; done: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const name = nameOf(kind, one)
  const used = one.workflows.length + ('definitions' in one ? one.definitions.length : 0) > 0
  if (used) {
    return (
      <Dialog title={w.dropTitle(name)} onClose={onClose} foot={<Button onClick={onClose}>{common.do.close}</Button>}>
        <p>{w.dropUsed}</p>
        <UsedBy of={one} />
      </Dialog>
    )
  }
  return <Act title={w.dropTitle(name)} word={w.dropWord} danger withReason={false} onClose={onClose} done={done} action={{ method: 'DELETE', path: pathOf(kind, name), etag }}>{w.dropText}</Act>
}
