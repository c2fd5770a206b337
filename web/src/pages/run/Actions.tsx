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
import { verbsOf, whyNot, type Verb } from './verbs'
import { words } from './words'

const ICONS = { start: Play, pause: Pause, resume: Play, terminate: Ban, retry: RotateCcw }
const KEYS: Partial<Record<Verb, string>> = { retry: 'r', pause: 'p', resume: 'p' }

export function Actions({ run }: { run: InstanceDetail }) {
  const w = useWords(words)
  const may = useMay('operate')
  const mayStart = useMay('submit')
  const [asking, setAsking] = useState<Verb | 'again' | null>(null)
  const verbs = (may ? verbsOf(run) : []).map((verb) => ({ verb, not: whyNot(verb, run, w) }))
  const press = (...keys: Verb[]) => () => setAsking(verbs.find(({ verb, not }) => keys.includes(verb) && not === null)?.verb ?? null)
  useKeys({ r: press('retry'), p: press('pause', 'resume') })
  const word = (verb: Verb) => (verb === 'retry' ? w.retryRun : w[verb])
  const again = (run.counts.FAILED ?? 0) + (run.counts.CANCELLED ?? 0)
  return (
    <>
      {verbs.map(({ verb, not }) => (
        <Button key={verb} icon={ICONS[verb]} look={verb === 'terminate' ? 'danger' : verb === 'pause' ? undefined : 'main'} disabled={not !== null} onClick={() => setAsking(verb)} title={not ?? KEYS[verb]}>{word(verb)}</Button>
      ))}
      {mayStart && run.workflow && <Button icon={Play} onClick={() => setAsking('again')}>{w.again}</Button>}
      {asking === 'again' && <StartDialog workflow={run.workflow} params={isMap(run.params) ? run.params : null} date={run.business_date} from={run.id} onClose={() => setAsking(null)} />}
      {asking !== null && asking !== 'again' && (
        <Act title={w.ask[asking]} word={word(asking)} danger={asking === 'terminate'} onClose={() => setAsking(null)} action={{ path: `/instances/${run.id}/${asking}`, body: {} }}>
          <p>{asking === 'retry' ? w.what.retry(number(again)) : w.what[asking]}</p>
        </Act>
      )}
    </>
  )
}
