// What can be done with a run in its state; each asks before it does it.
import { Ban, Pause, Play, RotateCcw } from 'lucide-react'
import { useState } from 'react'
import { useMay } from '../../api/me'
import type { InstanceDetail } from '../../api/types'
import { count as number } from '../../format'
import { useKeys } from '../../keys'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { isMap } from '../../ui/schemaFields'
import { useWords } from '../../words'
import { StartDialog } from '../start/StartDialog'
import { words } from './words'

type Verb = 'start' | 'pause' | 'resume' | 'terminate' | 'retry'
const POSSIBLE: Record<string, Verb[]> = {
  READY: ['start', 'terminate'],
  RUNNING: ['pause', 'terminate'],
  PAUSED: ['resume', 'terminate'],
  FAILED: ['retry'],
  TERMINATED: ['retry'],
}
const ICONS = { start: Play, pause: Pause, resume: Play, terminate: Ban, retry: RotateCcw }

export function Actions({ run }: { run: InstanceDetail }) {
  const w = useWords(words)
  const may = useMay('operate')
  const mayStart = useMay('submit')
  const [asking, setAsking] = useState<Verb | 'again' | null>(null)
  const possible = may ? (POSSIBLE[run.state] ?? []) : []
  // A failure in a run that goes on can be retried at once.
  const verbs: Verb[] = possible.includes('pause') && (run.counts.FAILED ?? 0) > 0 && may ? ['retry', ...possible] : possible
  const press = (verb: Verb) => () => verbs.includes(verb) && setAsking(verb)
  useKeys({ r: press('retry'), p: () => setAsking(verbs.find((verb) => verb === 'pause' || verb === 'resume') ?? null) })
  const again = (run.counts.FAILED ?? 0) + (run.counts.CANCELLED ?? 0)
  return (
    <>
      {verbs.map((verb) => (
        <Button key={verb} icon={ICONS[verb]} look={verb === 'terminate' ? 'danger' : verb === 'pause' ? undefined : 'main'} onClick={() => setAsking(verb)} title={verb === 'retry' ? 'r' : verb === 'pause' || verb === 'resume' ? 'p' : undefined}>{w[verb]}</Button>
      ))}
      {mayStart && run.workflow && <Button icon={Play} onClick={() => setAsking('again')}>{w.again}</Button>}
      {asking === 'again' && <StartDialog workflow={run.workflow} params={isMap(run.params) ? run.params : null} date={run.business_date} from={run.id} onClose={() => setAsking(null)} />}
      {asking !== null && asking !== 'again' && (
        <Act title={w.ask[asking]} word={w[asking]} danger={asking === 'terminate'} onClose={() => setAsking(null)} action={{ path: `/instances/${run.id}/${asking}`, body: {} }}>
          <p>{asking === 'retry' ? w.what.retry(number(again)) : w.what[asking]}</p>
        </Act>
      )}
    </>
  )
}
