// Which call does this: the routes of the server's own description, with a line to copy for each.
import { useQueryState } from '../../api/address'
import { root, tenant } from '../../api/call'
import { useDocument, useOne } from '../../api/queries'
import { Tag } from '../../ui/Chip'
import { Code, Empty } from '../../ui/Empty'
import { Filters, Head, Panel } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import type { Tone } from '../../ui/states'
import { useCommon, useWords } from '../../words'
import { exampleOf, fieldsOf, typeOf, type Document, type Operation, type Schema } from './schema'
import { words } from './words'
import './api.css'

const TONES: Record<string, Tone> = { get: 'busy', post: 'good', put: 'held', delete: 'bad' }

interface Line {
  path: string
  method: string
  operation: Operation
}

export default function Api() {
  const w = useWords(words)
  const found = useDocument<Document>('/openapi.json')
  const [q, setQ] = useQueryState('q')
  return (
    <>
      <Head title={w.title} name={w.title} actions={<a className="button" href="./api/v1/openapi.json" download>{w.document}</a>}>
        {found.data && <span>qflowd {found.data.info.version}</span>}
        <span className="muted">{w.note}</span>
      </Head>
      <Filters><input className="input find" type="search" placeholder={w.find} aria-label={w.find} value={q} onChange={(event) => setQ(event.target.value)} /></Filters>
      <Loaded of={found}>{(document) => <Calls document={document} q={q} clear={() => setQ('')} />}</Loaded>
      <Codes />
    </>
  )
}

function Calls({ document, q, clear }: { document: Document; q: string; clear: () => void }) {
  const w = useWords(words)
  const all = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]): Line => ({ path, method, operation })))
  const wanted = q.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = all.filter((x) => wanted.every((word) => `${x.method} ${x.path} ${x.operation.summary} ${x.operation['x-does'] ?? ''}`.toLowerCase().includes(word)))
  const groups = [...new Set(shown.map(groupOf))]
  if (shown.length === 0) return <Empty title={w.none} onClear={clear} />
  return (
    <div className="stack">
      <p className="muted">{w.count(shown.length)}</p>
      {groups.map((group) => (
        <Panel key={group} flush title={group}>
          {shown.filter((x) => groupOf(x) === group).map((x) => <Call key={`${x.method} ${x.path}`} line={x} schemas={document.components?.schemas ?? {}} />)}
        </Panel>
      ))}
    </div>
  )
}

const groupOf = (x: Line) => x.operation.tags?.[0] ?? x.path.split('/')[3] ?? x.path

function Call({ line: { path, method, operation: o }, schemas }: { line: Line; schemas: Record<string, Schema> }) {
  const w = useWords(words)
  const body = Object.values(o.requestBody?.content ?? {})[0]?.schema
  const good = Object.entries(o.responses).find(([status]) => status.startsWith('2'))?.[1]
  const answer = Object.values(good?.content ?? {})[0]?.schema
  return (
    <details className="call">
      <summary>
        <Tag tone={TONES[method]}>{method.toUpperCase()}</Tag>
        <code>{path}</code>
        <span className="muted cut grow">{o.summary}</span>
        <span className="muted wide-only">{o['x-role'] === 'none' ? w.noRole : o['x-role']}</span>
      </summary>
      <div className="call-body stack">
        {o['x-does'] && <p className="muted">{o['x-does']}</p>}
        <h3>{w.call}</h3>
        <Code text={curl(method, path, body && exampleOf(body, schemas))} />
        {(o.parameters?.length ?? 0) > 0 && <><h3>{w.params}</h3><Fields fields={o.parameters!.map((p) => [p.name, { ...p.schema, description: p.description ?? p.schema?.description }, p.required ?? false])} /></>}
        {body && <><h3>{w.body}</h3><Fields fields={fieldsOf(body, schemas)} /></>}
        {answer && <><h3>{w.answer}</h3><Fields fields={fieldsOf(answer.properties?.data ?? answer, schemas)} type={typeOf(answer.properties?.data ?? answer)} /></>}
        <p><span className="muted">{w.errors}: </span>{Object.keys(o.responses).filter((status) => !status.startsWith('2')).join(', ')}</p>
      </div>
    </details>
  )
}

function Fields({ fields, type }: { fields: [string, Schema, boolean][]; type?: string }) {
  const w = useWords(words)
  return (
    <>
      {type && <code>{type}</code>}
      {fields.length > 0 && (
        <dl className="fields">
          {fields.map(([name, schema, required]) => [
            <dt key={`${name}t`}><code>{name}</code>{required && <span className="needed" title={w.required}>*</span>}</dt>,
            <dd key={`${name}d`}><code className="muted">{typeOf(schema)}</code> {schema.description}</dd>,
          ])}
        </dl>
      )}
    </>
  )
}

function curl(method: string, path: string, body: unknown): string {
  const address = new URL(path.replace(/^\//, ''), root)
  if (tenant !== '') address.searchParams.set('tenant', tenant)
  const lines = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}-H "Authorization: Bearer $QFLOWD_TOKEN"`]
  if (body !== undefined) lines.push(`-H "Content-Type: application/json" -d '${JSON.stringify(body)}'`)
  return [...lines, `"${decodeURIComponent(address.href)}"`].join(' \\\n  ')
}

function Codes() {
  const w = useWords(words)
  const common = useCommon()
  const found = useOne<{ code: number; status: number; meaning: string }[]>('/codes', {}, { every: false })
  return (
    <div className="codes">
      <Loaded of={found} lines={3}>
        {(codes) => (
          <Panel flush title={w.codes}>
            <Table
              label={w.codes} rows={codes} keyOf={(x) => x.code}
              columns={[{ head: w.code, width: '6rem', cell: (x) => <code>{x.code}</code> }, { head: w.status, width: '6rem', cell: (x) => x.status }, { head: w.meaning, cell: (x) => <span title={x.meaning}>{common.codes[x.code] ?? x.meaning}</span> }]}
            />
          </Panel>
        )}
      </Loaded>
    </div>
  )
}
