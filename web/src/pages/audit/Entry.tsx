// One entry beside the list: field by field what was, and what is.
import { absolute } from '../../format'
import { useSettings } from '../../settings'
import { Tag } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { Json } from '../../ui/Json'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { isRefused, Thing, wordOf } from './Audit'
import { differences, toneOf, type AuditItem, type Difference } from './entries'
import { words } from './words'

export function Entry({ of: one, onClose }: { of: AuditItem; onClose: () => void }) {
  const w = useWords(words)
  const { zone } = useSettings()
  const facts: [string, React.ReactNode][] = [
    [w.when, <>{absolute(one.at, zone)} <span className="muted">(<Time at={one.at} />)</span></>],
    [w.who, <strong>{one.principal ?? w.nobody}</strong>],
    ...(one.token ? [[w.byToken, <code>{one.token}</code>] as [string, React.ReactNode]] : []),
    ...(one.session_id !== null ? [[w.bySession, `#${one.session_id}`] as [string, React.ReactNode]] : []),
    ...(one.address ? [[w.address, <code>{one.address}</code>] as [string, React.ReactNode]] : []),
    [w.object, <Thing of={one} />],
    [w.outcome, isRefused(one) ? <Tag tone="bad">{w.refused}</Tag> : (w.outcomes[one.outcome] ?? one.outcome)],
    ...(one.command_id !== null ? [[w.command, `#${one.command_id}`] as [string, React.ReactNode]] : []),
    ...(one.submission_id !== null ? [[w.submission, `#${one.submission_id}`] as [string, React.ReactNode]] : []),
    ...(one.request_id ? [[w.request, <code>{one.request_id}</code>] as [string, React.ReactNode]] : []),
  ]
  const all = differences(one)
  return (
    <Dialog title={`${wordOf(one.action, w)}: ${one.object}`} onClose={onClose} place="side">
      <div className="row"><Tag tone={toneOf(one.action)}>{wordOf(one.action, w)}</Tag></div>
      <dl className="audit-facts">{facts.map(([word, value]) => [<dt key={word}>{word}</dt>, <dd key={`${word}v`}>{value}</dd>])}</dl>
      <h3>{w.changes}</h3>
      {all.length === 0 ? <p className="muted">{w.noChanges}</p> : <ul className="audit-fields">{all.map((each) => <Field key={each.field} of={each} />)}</ul>}
    </Dialog>
  )
}

function Field({ of: { field, from, to } }: { of: Difference }) {
  const w = useWords(words)
  return (
    <li>
      <strong className="mono">{field}</strong>
      <div className="audit-sides">
        {from !== undefined && <div data-side="before"><span className="hidden-text">{w.before}</span><Json value={from} label={`${field}: ${w.before}`} /></div>}
        {to !== undefined && <div data-side="after"><span className="hidden-text">{w.after}</span><Json value={to} label={`${field}: ${w.after}`} /></div>}
      </div>
    </li>
  )
}
