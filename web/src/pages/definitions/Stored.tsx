// The list of task types, or of task definitions, with one of them beside it.
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'wouter'
import { useQuerySet, useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import { shortPath } from '../../format'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters, Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { Detail } from './Detail'
import { DefinitionForm } from './DefinitionForm'
import { TypeForm } from './TypeForm'
import { nameOf, PAGES, PATHS, type Any, type Kind, type TaskDefinitionItem, type TaskTypeItem } from './model'
import { words } from './words'
import './definitions.css'

const SAMPLES: Record<Kind, string> = {
  type: 'task_type: vendor_pull\njob: fetch\nparams:\n  symbols: {type: integer, default: 12}\nretries: 3',
  definition: 'task: us_bars\ntype: vendor_pull\nparams: {symbols: 40}',
}

export function Stored({ kind }: { kind: Kind }) {
  const w = useWords(words)
  const common = useCommon()
  const may = useMay('define')
  const set = useQuerySet()
  const [q, setQ] = useQueryState('q')
  const [archived, setArchived] = useQueryState('archived')
  const [open, setOpen] = useQueryState('open')
  const [adding, setAdding] = useState(false)
  const found = useList<Any>(PATHS[kind], { archived: archived !== '', limit: 200 }, { every: 10_000, keep: true })
  const word = q.toLowerCase()
  const Form = kind === 'type' ? TypeForm : DefinitionForm
  return (
    <>
      <Head title={w.title[kind]} name={w.title[kind]!} actions={may && <Button icon={Plus} look="main" onClick={() => setAdding(true)}>{w.add[kind]}</Button>}>{w.about[kind]}</Head>
      <Filters>
        <input className="input" type="search" placeholder={w.find} aria-label={w.find} value={q} onChange={(event) => setQ(event.target.value)} />
        <label className="row"><input type="checkbox" checked={archived !== ''} onChange={(event) => setArchived(event.target.checked ? '1' : '')} />{w.archived}</label>
      </Filters>
      <LoadedList of={found} empty={<Empty title={w.none[kind]!} code={SAMPLES[kind]}>{w.noneMore}</Empty>}>
        {(items) => {
          const shown = items.filter((one) => [nameOf(kind, one), one.title].some((text) => text.toLowerCase().includes(word)))
          return shown.length > 0 ? <Listed kind={kind} items={shown} chosen={open} open={(name) => setOpen(name, true)} /> : <Empty title={common.empty.noMatch} onClear={() => set({ q: '' })} />
        }}
      </LoadedList>
      {open && <Detail key={open} kind={kind} name={open} onClose={() => setOpen('')} />}
      {adding && <Form of={null} onClose={() => setAdding(false)} done={(name) => setOpen(name)} />}
    </>
  )
}

function Listed({ kind, items, chosen, open }: { kind: Kind; items: Any[]; chosen: string; open: (name: string) => void }) {
  const w = useWords(words)
  return (
    <Table
      label={w.title[kind]!} rows={items} keyOf={(one) => nameOf(kind, one)} open={(one) => open(nameOf(kind, one))} selected={(one) => nameOf(kind, one) === chosen}
      columns={[
        { head: w.name, cell: (one) => <span className="row"><strong>{nameOf(kind, one)}</strong>{one.title && <span className="muted">{one.title}</span>}<Flags of={one} /></span> },
        { head: w.of, width: '14rem', cell: (one) => <MadeOf of={one} kind={kind} /> },
        { head: w.params, width: '22rem', wide: true, cell: (one) => <Params names={Object.keys(kind === 'type' ? (one as TaskTypeItem).params_schema : (one as TaskDefinitionItem).params)} /> },
        { head: w.source, width: '12rem', wide: true, cell: (one) => <Source of={one} /> },
        { head: w.changed, width: '7rem', right: true, wide: true, cell: (one) => <Time at={one.updated_at} /> },
      ]}
    />
  )
}

export function Flags({ of: one }: { of: Any }) {
  const w = useWords(words)
  return <>{one.error && <Tag tone="bad" title={one.error}>{w.faulty}</Tag>}{one.archived_at && <Tag>{w.isArchived}</Tag>}</>
}

export function MadeOf({ of: one, kind }: { of: Any; kind: Kind }) {
  const w = useWords(words)
  const type = kind === 'definition' ? (one as TaskDefinitionItem).type : null
  if (type) return <span className="made-of"><span className="muted">{w.type}</span><Link href={`${PAGES.type}?open=${encodeURIComponent(type)}`}>{type}</Link></span>
  return <span className="made-of"><span className="muted">{w.job}</span><Link href={`/jobs?job=${encodeURIComponent(one.job ?? '')}`}>{one.job}</Link></span>
}

function Params({ names }: { names: string[] }) {
  const w = useWords(words)
  return names.length === 0 ? <span className="muted">{w.noParams}</span> : <span className="stored-params">{names.map((name) => <code key={name}>{name}</code>)}</span>
}

export function Source({ of: one }: { of: Any }) {
  const w = useWords(words)
  if (one.source === 'file' && one.file) return <code title={one.file}>{shortPath(one.file)}</code>
  return <span>{one.updated_by ?? w.person}</span>
}
