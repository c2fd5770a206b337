// Business dates that had no good run by when one was expected, the latest first; those for which nothing has started among them.
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useList } from '../../api/queries'
import { Chip } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { words } from './words'

export interface LateItem {
  id: number
  workflow: string
  business_date: string
  expected_at: string
  noticed_at: string
  ended_at: string | null
  state: string | null
  instance_id: number | null
}

export default function Late() {
  const w = useWords(words)
  const [ever, setEver] = useQueryState('all')
  const found = useList<LateItem>('/late', ever ? { all: true } : {})
  const now = found.items?.filter((one) => one.ended_at === null).length
  return (
    <>
      <Head title={w.title} name={w.title} actions={<label className="row"><input type="checkbox" checked={ever !== ''} onChange={(event) => setEver(event.target.checked ? '1' : '')} />{w.ever}</label>}>
        {now !== undefined && w.about(now)}
      </Head>
      <LoadedList of={found} empty={<Empty title={ever ? w.noneEver : w.none} code={'calendar: XSHG\nexpect_by: close+2h\ndeadline: 20:30'}>{w.noneMore}</Empty>}>
        {(dates) => (
          <Table
            label={w.title} rows={dates} keyOf={(one) => one.id}
            columns={[
              { head: w.workflow, cell: (one) => <Link href={`/workflows/${encodeURIComponent(one.workflow)}`} data-row className="cut">{one.workflow}</Link> },
              { head: w.date, width: '9rem', cell: (one) => one.business_date },
              { head: w.expected, width: '11rem', cell: (one) => <Time at={one.expected_at} /> },
              { head: w.there, width: '14rem', cell: (one) => (one.state ? <Link href={`/instances/${one.instance_id}`} className="row"><Chip state={one.state} /> <span className="muted">#{one.instance_id}</span></Link> : w.nothing) },
              ...(ever ? [{ head: w.ended, width: '11rem', wide: true, cell: (one: LateItem) => (one.ended_at ? <Time at={one.ended_at} /> : <span className="muted">–</span>) }] : []),
            ]}
          />
        )}
      </LoadedList>
    </>
  )
}
