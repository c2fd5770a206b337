// What people do to a schedule: on and off, fire now, other times than its file says, and back.
import { useState } from 'react'
import { Act } from '../../ui/Act'
import { useWords } from '../../words'
import { titleOf, type ScheduleItem } from './lanes'
import { words } from './words'

export type Doing = 'enable' | 'disable' | 'fire' | 'set' | 'reset'

export function Doings({ what, of: one, path, onClose }: { what: Doing; of: ScheduleItem; path: string; onClose: () => void }) {
  const w = useWords(words)
  const [cron, setCron] = useState(one.cron)
  const [at, setAt] = useState(one.session_time)
  const [name, etag] = [titleOf(one), `"${one.etag}"`]
  const shared = { title: `${w[`${what}Word`]}: ${name}`, word: w[`${what}Word`], onClose }
  if (what === 'reset') return <Act {...shared} withReason={false} action={{ method: 'DELETE', path, etag }}>{w.resetText(name, one.file_says ?? '')}</Act>
  if (what !== 'set') return <Act {...shared} action={{ path: `${path}/${what}` }}>{w[`${what}Text`](name)}</Act>
  const wanted = at.trim() ? { at: at.trim() } : { cron: cron.trim() }
  return (
    <Act {...shared} action={{ method: 'PUT', path, body: wanted, etag }} notYet={!at.trim() && !cron.trim()}>
      <div className="stack">
        <p>{w.setMore}</p>
        <label className="field"><span>{w.expression}</span><input className="input" value={cron} maxLength={200} disabled={at.trim() !== ''} onChange={(event) => setCron(event.target.value)} /></label>
        <label className="field"><span>{w.at}</span><input className="input" value={at} maxLength={64} onChange={(event) => setAt(event.target.value)} /></label>
      </div>
    </Act>
  )
}
