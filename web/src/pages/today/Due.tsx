// What is late or at risk: dates without a good run, and how far the run for each has come.
import { Link } from 'wouter'
import type { DueDate } from '../../api/overview'
import { Chip, Tag } from '../../ui/Chip'
import { Panel } from '../../ui/Panel'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { Far } from './parts'
import { words } from './words'

export function Due({ dates }: { dates: DueDate[] }) {
  const w = useWords(words)
  if (dates.length === 0) return null
  return (
    <Panel flush title={w.due} actions={<Link href="/late">{w.allLate}</Link>}>
      <ul className="lines" aria-label={w.due}>
        {dates.map((one) => (
          <li key={`${one.workflow} ${one.business_date}`} data-row className="due">
            <Tag tone={one.is_late ? 'bad' : 'held'}>{one.is_late ? w.isLate : w.atRisk}</Tag>
            <Link className="cut strong" href={one.instance_id === null ? `/workflows/${encodeURIComponent(one.workflow)}` : `/instances/${one.instance_id}`}>{one.workflow}</Link>
            <span className="muted">{one.business_date}</span>
            {one.state === null ? <span>{w.notStarted}</span> : <Chip state={one.state} small />}
            {one.state === 'RUNNING' && <Far value={one.progress} />}
            <span className="grow" />
            <span className="muted">{w.dueBy} <Time at={one.expected_at} as="clock" /> (<Time at={one.expected_at} />)</span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
