// Is anything wrong, and will the morning be on time? One request.
import { MonitorPlay } from 'lucide-react'
import { Link } from 'wouter'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import type { Overview } from '../../api/overview'
import { Button } from '../../ui/Button'
import { Empty } from '../../ui/Empty'
import { Head } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { Due } from './Due'
import { Daemons, Failing, Files, Fires, Running } from './parts'
import { Tiles } from './Tiles'
import { words } from './words'
import './today.css'

export default function Today() {
  const common = useCommon()
  const w = useWords(words)
  const [kiosk, setKiosk] = useQueryState('kiosk')
  const overview = useOne<Overview>('/overview', {}, { topic: 'overview' })
  return (
    <>
      <Head
        title={common.nav.today} name={common.nav.today}
        actions={<Button icon={MonitorPlay} look="bare" title={kiosk ? w.leave : w.kiosk} onClick={() => setKiosk(kiosk ? '' : '1')} />}
      />
      <Loaded of={overview} lines={9}>{(o) => <Whole overview={o} />}</Loaded>
    </>
  )
}

function Whole({ overview: o }: { overview: Overview }) {
  const w = useWords(words)
  const common = useCommon()
  const fresh = Object.values(o.states).every((n) => n === 0) && o.running.length === 0 && o.failing.length === 0
  return (
    <>
      <Tiles overview={o} />
      <div className="today">
        <div className="stack">
          <Files files={o.faulty_files} />
          <Due dates={o.due} />
          {fresh ? <Empty title={w.noRuns} code="qflowd submit hello" action={<Link href="/workflows">{common.nav.workflows}</Link>}>{w.noRunsMore}</Empty> : (
            <>
              <Failing groups={o.failing} failures={o.failures} more={o.more_failures} />
              <Running runs={o.running} />
            </>
          )}
        </div>
        <div className="stack">
          <Fires fires={o.fires} />
          <Daemons daemons={o.daemons} />
        </div>
      </div>
    </>
  )
}
