// Which jobs there are, and which files do not load.
import { FileWarning } from 'lucide-react'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Chip, Tag } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { Code, Empty } from '../../ui/Empty'
import { Filters, Head, Panel } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { words } from './words'
import './jobs.css'

interface JobItem {
  job: string
  title: string
  doc: string
  params_schema: { properties?: Record<string, { type?: string }>; required?: string[] } | null
  settings: Record<string, unknown> | null
  file: string | null
  hash: string
  state: string
  daemons: string[]
  error: string | null
}

interface PluginFile {
  file: string | null
  daemon: string
  jobs: string[]
  error: string | null
  updated_at: string
}

const SAMPLE = `from qflowd import job

@job
def hello(name: str = "world") -> str:
    print(f"hello {name}")
    return name`

export default function Jobs() {
  const w = useWords(words)
  const common = useCommon()
  const [q, setQ] = useQueryState('q')
  const [open, setOpen] = useQueryState('job')
  const jobs = useOne<JobItem[]>('/jobs', {}, { every: 10_000 })
  const plugins = useOne<PluginFile[]>('/plugins', {}, { every: 10_000 })
  const word = q.toLowerCase()
  const shown = jobs.data?.filter((x) => [x.job, x.title, x.file ?? ''].some((text) => text.toLowerCase().includes(word))) ?? []
  const chosen = jobs.data?.find((x) => x.job === open)
  return (
    <>
      <Head title={w.title} name={w.title}>{jobs.data && <span>{w.all(jobs.data.length)}</span>}</Head>
      {plugins.data && <Faulty plugins={plugins.data.filter((p) => p.error)} />}
      <Filters><input className="input" type="search" placeholder={w.find} aria-label={w.find} value={q} onChange={(event) => setQ(event.target.value)} /></Filters>
      <Loaded of={jobs}>
        {(all) =>
          all.length === 0 ? <Empty title={w.none} code={SAMPLE}>{w.noneMore}</Empty>
          : shown.length === 0 ? <Empty title={common.empty.noMatch} onClear={() => setQ('')} />
          : <Listed jobs={shown} chosen={open} open={(name) => setOpen(name, true)} />
        }
      </Loaded>
      {chosen && <Detail of={chosen} onClose={() => setOpen('')} />}
    </>
  )
}

function Faulty({ plugins }: { plugins: PluginFile[] }) {
  const w = useWords(words)
  if (plugins.length === 0) return null
  return (
    <div className="faulty">
      <Panel flush title={w.faulty} note={w.lastGood}>
        <ul>
          {plugins.map((p) => (
            <li key={`${p.file ?? p.jobs.join()} ${p.daemon}`}>
              <FileWarning aria-hidden size={15} />
              <div className="grow">
                <div className="row"><strong className="mono" title={p.file ?? undefined}>{p.file ? shortPath(p.file) : p.jobs.join(', ')}</strong><span className="muted">{p.daemon} · <Time at={p.updated_at} /></span></div>
                <pre tabIndex={0}>{p.error}</pre>
              </div>
            </li>
          ))}
        </ul>
      </Panel>
    </div>
  )
}

function Listed({ jobs, chosen, open }: { jobs: JobItem[]; chosen: string; open: (name: string) => void }) {
  const w = useWords(words)
  return (
    <Table
      label={w.jobs} rows={jobs} keyOf={(x) => x.job} open={(x) => open(x.job)} selected={(x) => x.job === chosen}
      columns={[
        { head: w.job, cell: (x) => <span><strong>{x.job}</strong> {x.title && x.title !== x.job && <span className="muted">{x.title}</span>}</span> },
        { head: w.state, width: '9rem', cell: (x) => <State of={x} /> },
        { head: w.params, width: '22rem', wide: true, cell: (x) => <Params of={x} /> },
        { head: w.file, width: '16rem', wide: true, cell: (x) => (x.file ? <code title={x.file}>{shortPath(x.file)}</code> : <span className="muted">–</span>) },
        { head: w.daemons, width: '7rem', right: true, wide: true, cell: (x) => <span title={x.daemons.join(', ')}>{x.daemons.length || '–'}</span> },
      ]}
    />
  )
}

function State({ of: x }: { of: JobItem }) {
  const w = useWords(words)
  if (x.error) return <Tag tone="bad" title={x.error}>{w.error}</Tag>
  return x.state === 'WITHDRAWN' ? <Tag>{w.withdrawn}</Tag> : <Chip state={x.state} />
}

function Params({ of: x }: { of: JobItem }) {
  const w = useWords(words)
  const names = Object.keys(x.params_schema?.properties ?? {})
  if (names.length === 0) return <span className="muted">{w.noParams}</span>
  return <span className="params">{names.map((name) => <code key={name} data-required={x.params_schema?.required?.includes(name) || undefined} title={x.params_schema?.required?.includes(name) ? w.required : undefined}>{name}</code>)}</span>
}

function Detail({ of: x, onClose }: { of: JobItem; onClose: () => void }) {
  const w = useWords(words)
  return (
    <Dialog title={x.job} onClose={onClose} place="side">
      <div className="row"><State of={x} />{x.file && <code>{x.file}</code>}<code className="muted">{x.hash?.slice(0, 10)}</code></div>
      {x.error && <pre className="job-error" tabIndex={0}>{x.error}</pre>}
      {x.doc && <><h3>{w.doc}</h3><p className="doc">{x.doc}</p></>}
      <h3>{w.run}</h3>
      <Code text={`qflowd submit --job ${x.job}`} />
      {x.params_schema && <><h3>{w.schema}</h3><Code text={JSON.stringify(x.params_schema, null, 2)} /></>}
      {x.settings && Object.keys(x.settings).length > 0 && <><h3>{w.settings}</h3><Code text={JSON.stringify(x.settings, null, 2)} /></>}
      {x.daemons.length > 0 && <><h3>{w.daemons}</h3><p>{x.daemons.join(', ')}</p></>}
    </Dialog>
  )
}
