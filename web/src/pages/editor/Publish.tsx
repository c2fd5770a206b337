// Publishing: everything is saved first, faults are named, the difference from what runs now is shown.
import { useLocation } from 'wouter'
import { useOne } from '../../api/queries'
import { Problem } from '../../ui/Problem'
import { useWords } from '../../words'
import { Activate } from '../workflow/Activate'
import { forget, useDraft, useDraftState, type Version } from './useDraft'
import { words } from './words'

export function Publish({ version: v, onClose }: { version: Version; onClose: () => void }) {
  const w = useWords(words)
  const draft = useDraft()
  const { status, saved, typed } = useDraftState()
  const [, go] = useLocation()
  const workflow = encodeURIComponent(v.workflow)
  const versions = useOne<{ version: number; state: string }[]>(`/workflows/${workflow}/versions`, {}, { every: false })
  const active = versions.data?.find((one) => one.state === 'ACTIVE')?.version ?? null
  const isSaved = status === 'saved' && Object.keys(typed).length === 0
  const notYet = versions.error ? <Problem error={versions.error} />
    : !isSaved ? <p role="status">{typed.yaml !== undefined && status === 'saved' ? w.pendingText : w.waitSaved}</p>
    : saved.faults.length > 0 ? <><p className="form-fault">{w.publishFaults}</p><ul className="editor-fault-list">{saved.faults.map((fault, i) => <li key={i}><code>{fault.where}</code> {fault.message}</li>)}</ul></>
    : !versions.data ? <p role="status">…</p> : undefined
  const done = () => {
    forget(draft)
    go(`/workflows/${workflow}?tab=versions`)
  }
  return <Activate workflow={v.workflow} version={v.version} active={active} title={w.publishTitle(v.workflow, v.version)} word={w.publish} onClose={onClose} done={done} notYet={notYet} />
}
