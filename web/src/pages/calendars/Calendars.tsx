// Trading calendars: which there are, and of one its year, what comes next and how long it is known.
import { Upload } from 'lucide-react'
import { useState } from 'react'
import { useQuerySet, useQueryState } from '../../api/address'
import { useMay } from '../../api/me'
import { useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Head } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import { Import } from './Import'
import { Whole } from './Whole'
import { words } from './words'
import { yearWithin, type CalendarItem, type CalendarYear } from './year'
import './calendars.css'

// They are files: only what comes next moves, and the days that are left.
const EVERY_MS = 300_000

export default function Calendars() {
  const w = useWords(words)
  const found = useOne<CalendarItem[]>('/calendars', {}, { every: EVERY_MS })
  const [asked] = useQueryState('name')
  const may = useMay('define')
  const [importing, setImporting] = useState(false)
  const name = asked || found.data?.[0]?.name
  return (
    <>
      <Head title={w.title} name={w.title} actions={may && <Button icon={Upload} onClick={() => setImporting(true)}>{w.importOne}</Button>}>{found.data && w.about(found.data.length)}</Head>
      <div className="calendars">
        <Loaded of={found}>{(all) => <List of={all} chosen={name?.split('.')[0]} />}</Loaded>
        {name && <Chosen name={name} one={found.data?.find((each) => each.name === name.split('.')[0])} />}
      </div>
      {importing && <Import onClose={() => setImporting(false)} />}
    </>
  )
}

function List({ of: all, chosen }: { of: CalendarItem[]; chosen?: string }) {
  const w = useWords(words)
  const [year] = useQueryState('year')
  const set = useQuerySet()
  return (
    <ul className="calendar-list" aria-label={w.title}>
      {all.map((one) => (
        <li key={one.name}>
          <button type="button" data-row aria-current={one.name === chosen ? 'true' : undefined} onClick={() => set({ name: one.name, year: yearWithin(one, year) })}>
            <span className="row"><strong>{one.name}</strong>{one.ends_soon && <Tag tone="held">{w.short(one.days_left)}</Tag>}</span>
            <span className="muted cut wide-only">{one.title}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}

function Chosen({ name, one }: { name: string; one?: CalendarItem }) {
  const [year] = useQueryState('year')
  const found = useOne<CalendarYear>(`/calendars/${encodeURIComponent(name)}`, { year }, { every: EVERY_MS, keep: true })
  return <div className="calendar-one"><Loaded of={found}>{(data) => <Whole of={data} products={one?.products ?? []} />}</Loaded></div>
}
