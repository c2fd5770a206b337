// What throttles: slots, rates and breakers of each limit, and why ready tasks wait.
import { Ellipsis } from 'lucide-react'
import { useState } from 'react'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { count } from '../../format'
import { Act } from '../../ui/Act'
import { Chip, Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { Menu } from '../../ui/Menu'
import { Head } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { Slots } from '../../ui/Slots'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { words } from './words'

export interface LimitItem {
  name: string
  slots: number
  used: number
  waiting: number
  source: string
  rates: string[] | null
  frees_at: string | null
  resumes_at: string | null
  paused_at: string | null
  paused_by: string | null
  pause_reason: string | null
  breaker: { failures?: string; open_s?: number } | null
  breaker_state: string | null
  tripped_at: string | null
  retries_at: string | null
  trip_reason: string | null
  set_by: string | null
  note: string | null
}

type Doing = 'set' | 'pause' | 'resume' | 'open' | 'close'

export default function Limits() {
  const w = useWords(words)
  const found = useOne<LimitItem[]>('/limits')
  return (
    <>
      <Head title={w.title} name={w.title}>{found.data && <span>{w.waitingNote(count(found.data.reduce((n, x) => n + x.waiting, 0)))}</span>}</Head>
      <Loaded of={found}>{(limits) => (limits.length === 0 ? <Empty title={w.empty} code={'tasks:\n  fetch:\n    job: fetch\n    limits: {vendor_api: 1}'}>{w.emptyMore}</Empty> : <Listed limits={limits} />)}</Loaded>
    </>
  )
}

function Listed({ limits }: { limits: LimitItem[] }) {
  const w = useWords(words)
  const operate = useMay('operate')
  const [doing, setDoing] = useState<[Doing, LimitItem] | null>(null)
  return (
    <>
      <Table
        label={w.title} rows={limits} keyOf={(x) => x.name}
        columns={[
          { head: w.name, cell: (x) => <span className="row"><strong>{x.name}</strong><Paused of={x} /></span> },
          { head: w.used, width: '17rem', cell: (x) => <Slots busy={x.used} slots={x.slots} /> },
          { head: w.waiting, width: '6rem', right: true, cell: (x) => (x.waiting > 0 ? <strong>{count(x.waiting)}</strong> : <span className="muted">0</span>) },
          { head: w.rates, width: '14rem', wide: true, cell: (x) => <Rates of={x} /> },
          { head: w.breaker, width: '14rem', cell: (x) => <Breaker of={x} /> },
          { head: w.source, width: '10rem', wide: true, cell: (x) => <span title={x.note ?? undefined}>{x.set_by ?? w.sources[x.source] ?? x.source}</span> },
          { head: <span className="hidden-text">{w.actions('')}</span>, width: '3rem', cell: (x) => operate && <Actions of={x} choose={(what) => setDoing([what, x])} /> },
        ]}
      />
      {doing && <Doings what={doing[0]} of={doing[1]} onClose={() => setDoing(null)} />}
    </>
  )
}

// For a while: the instant when that is over stays.
const isPaused = (x: LimitItem) => x.paused_at !== null || (x.resumes_at !== null && Date.parse(x.resumes_at) > Date.now())

function Paused({ of: x }: { of: LimitItem }) {
  const w = useWords(words)
  if (!isPaused(x)) return null
  return <Tag tone="held" title={[x.paused_by && `${w.by} ${x.paused_by}`, x.pause_reason].filter(Boolean).join(': ')}>{w.paused}{x.resumes_at && <> {w.until} <Time at={x.resumes_at} as="clock" /></>}</Tag>
}

function Rates({ of: x }: { of: LimitItem }) {
  const w = useWords(words)
  if (!x.rates?.length) return <span className="muted">–</span>
  return <span>{x.rates.join(', ')} {x.frees_at && Date.parse(x.frees_at) > Date.now() && <span className="muted">{w.freesAt} <Time at={x.frees_at} /></span>}</span>
}

function Breaker({ of: x }: { of: LimitItem }) {
  if (!x.breaker_state) return <span className="muted">–</span>
  return <span className="row"><Chip state={x.breaker_state} title={x.trip_reason ?? undefined} />{x.breaker_state !== 'CLOSED' && <span className="muted cut"><Time at={x.tripped_at} /></span>}</span>
}

function Actions({ of: x, choose }: { of: LimitItem; choose: (what: Doing) => void }) {
  const w = useWords(words)
  return (
    <Menu
      title={w.actions(x.name)} icon={Ellipsis} look="bare"
      items={[
        { word: w.set, act: () => choose('set') },
        ...(x.paused_at ? [] : [{ word: w.pause, act: () => choose('pause') }]),
        ...(isPaused(x) ? [{ word: w.resume, act: () => choose('resume') }] : []),
        ...(x.breaker_state && x.breaker_state !== 'OPEN' ? [{ word: w.open, act: () => choose('open') }] : []),
        ...(x.breaker_state && x.breaker_state !== 'CLOSED' ? [{ word: w.close, act: () => choose('close') }] : []),
      ]}
    />
  )
}

function Doings({ what, of: x, onClose }: { what: Doing; of: LimitItem; onClose: () => void }) {
  const w = useWords(words)
  const [slots, setSlots] = useState(x.slots)
  const path = `/limits/${encodeURIComponent(x.name)}`
  if (what !== 'set') {
    const word = w[what].replace(/ ?…+$/, '')
    return <Act title={`${word}: ${x.name}`} word={word} onClose={onClose} action={{ path: `${path}/${what}` }}>{w[`${what}Text`](x.name)}</Act>
  }
  return (
    <Act title={w.setTitle(x.name)} word={w.set.replace(/ ?…+$/, '')} onClose={onClose} action={{ method: 'PUT', path, body: { slots }, etag: '*' }}>
      <div className="stack">
        <p>{w.setText}</p>
        <label className="field"><span>{w.slots}</span><input className="input" type="number" min={0} max={100000} value={slots} onChange={(event) => setSlots(Number(event.target.value))} /></label>
      </div>
    </Act>
  )
}
