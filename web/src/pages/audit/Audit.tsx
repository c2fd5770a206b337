// Who did what to which object, newest first. Filters stand in the address; older entries are read page by page.
import { Download } from 'lucide-react'
import { Link, useSearchParams } from 'wouter'
import { address, type Query } from '../../api/call'
import { useQuerySet, useQueryState } from '../../api/address'
import { useList } from '../../api/queries'
import { zoneName } from '../../format'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters, Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { Typed } from '../../ui/Typed'
import { useCommon, useNow, useWords } from '../../words'
import { Entry } from './Entry'
import { ACTIONS, brief, differences, filterOf, isNarrow, linkOf, queryOf, toneOf, TYPES, type AuditFilter, type AuditItem } from './entries'
import { words } from './words'
import './audit.css'

const NONE = { actor: '', action: '', object_type: '', object: '' }

export default function Audit() {
  const w = useWords(words)
  const common = useCommon()
  const [params] = useSearchParams()
  const set = useQuerySet()
  const filter = filterOf(params)
  const [open, setOpen] = useQueryState('open')
  const { zone } = useSettings()
  const minute = Math.floor(useNow() / 60_000) * 60_000
  const query: Query = queryOf(filter, minute, zoneName(zone))
  const found = useList<AuditItem>('/audit', { ...query, limit: 100 }, { every: 15_000, keep: true })
  const chosen = found.items?.find((one) => String(one.id) === open)
  return (
    <>
      <Head title={w.title} name={w.title} actions={<a className="button" href={address('/audit.csv', query)} download><Download aria-hidden size={15} /><span>{w.csv}</span></a>}>{w.about}</Head>
      <FilterLine filter={filter} />
      <LoadedList of={found} lines={10} empty={isNarrow(filter)
        ? <Empty title={common.empty.noMatch} onClear={() => set({ ...NONE, since: 'all' })} />
        : <Empty title={w.none} action={filter.since !== 'all' && <Button onClick={() => set({ since: 'all' })}>{w.widen}</Button>}>{w.noneMore}</Empty>}>
        {(items) => <Listed items={items} chosen={open} open={(one) => setOpen(String(one.id), true)} />}
      </LoadedList>
      {chosen && <Entry of={chosen} onClose={() => setOpen('')} />}
    </>
  )
}

function FilterLine({ filter }: { filter: AuditFilter }) {
  const w = useWords(words)
  const common = useCommon()
  const set = useQuerySet()
  return (
    <Filters>
      <Typed label={w.who} hint={w.whoHint} value={filter.actor} write={(actor) => set({ actor })} />
      <select className="input" aria-label={w.what} value={filter.action} onChange={(event) => set({ action: event.target.value })}>
        <option value="">{w.anyAction}</option>
        {ACTIONS.map((action) => <option key={action} value={action}>{wordOf(action, w)}</option>)}
      </select>
      <select className="input" aria-label={w.object} value={filter.object_type} onChange={(event) => set({ object_type: event.target.value, ...(event.target.value === '' && { object: '' }) })}>
        <option value="">{w.anyType}</option>
        {TYPES.map((type) => <option key={type} value={type}>{w.types[type]}</option>)}
      </select>
      {filter.object_type !== '' && <Typed label={w.objectHint} hint={w.objectHint} value={filter.object} write={(object) => set({ object })} />}
      <select className="input" aria-label={w.time} value={filter.since} onChange={(event) => set({ since: event.target.value, from: '', to: '' })}>
        {Object.entries(w.spans).map(([name, word]) => <option key={name} value={name}>{word}</option>)}
      </select>
      {filter.since === 'dates' && (['from', 'to'] as const).map((name) => (
        <input key={name} className="input" type="date" aria-label={w[name]} title={w[name]} value={filter[name]} onChange={(event) => set({ [name]: event.target.value })} />
      ))}
      {isNarrow(filter) && <Button look="bare" onClick={() => set(NONE)}>{common.do.clear}</Button>}
    </Filters>
  )
}

function Listed({ items, chosen, open }: { items: AuditItem[]; chosen: string; open: (one: AuditItem) => void }) {
  const w = useWords(words)
  return (
    <Table
      label={w.title} rows={items} keyOf={(one) => one.id} open={open} selected={(one) => String(one.id) === chosen}
      columns={[
        { head: w.when, width: '6.5rem', cell: (one) => <Time at={one.at} /> },
        { head: w.who, width: '13rem', cell: (one) => <Who of={one} /> },
        { head: w.what, width: '11rem', cell: (one) => <span className="row audit-what"><Tag tone={toneOf(one.action)}>{wordOf(one.action, w)}</Tag>{isRefused(one) && <Tag tone="bad">{w.refused}</Tag>}</span> },
        { head: w.object, width: '16rem', cell: (one) => <Thing of={one} /> },
        { head: w.changes, wide: true, cell: (one) => <Changes of={one} /> },
      ]}
    />
  )
}

function Who({ of: one }: { of: AuditItem }) {
  const w = useWords(words)
  return <span className="audit-who"><strong className="cut">{one.principal ?? w.nobody}</strong>{one.token && <span className="muted" title={one.token}>{w.byToken}</span>}</span>
}

export function Thing({ of: one }: { of: AuditItem }) {
  const w = useWords(words)
  const link = linkOf(one)
  return <span className="audit-thing"><span className="muted">{w.types[one.object_type] ?? one.object_type}</span> {link ? <Link href={link}>{one.object}</Link> : <span>{one.object}</span>}</span>
}

function Changes({ of: one }: { of: AuditItem }) {
  const w = useWords(words)
  const all = differences(one)
  if (all.length === 0) return null
  return (
    <span className="audit-changes">
      {all.slice(0, 2).map(({ field, from, to }) => (
        <span key={field} className="cut"><span className="muted">{field}</span> {from !== undefined && <del>{brief(from)}</del>} {to !== undefined && <span>{brief(to)}</span>}</span>
      ))}
      {all.length > 2 && <span className="muted">{w.more(all.length - 2)}</span>}
    </span>
  )
}

export const isRefused = (one: AuditItem) => one.outcome === 'rejected' || one.outcome === 'refused'

/** In Chinese with the word that everybody knows beside it. */
export function wordOf(action: string, w: typeof words.en): string {
  const word = w.actions[action]
  return word ? `${word} ${action}` : action
}
