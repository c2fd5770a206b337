// What one may do with a workflow: start, pause, resume.
import { Ellipsis, Pause, Play, StepForward } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { useMay } from '../../api/me'
import { Act } from '../../ui/Act'
import { Menu } from '../../ui/Menu'
import { useWords } from '../../words'
import { isPaused, type WorkflowItem } from './types'
import { words } from './words'

const StartDialog = lazy(() => import('../start/StartDialog').then((m) => ({ default: m.StartDialog })))
export type Doing = 'start' | 'pause' | 'resume'

/** Which of the two does something: what is paused is resumed; what has no version has nothing to pause. */
export function useTurn(of: WorkflowItem): 'pause' | 'resume' | null {
  const operate = useMay('operate')
  if (!operate) return null
  return isPaused(of) ? 'resume' : of.version === null ? null : 'pause'
}

export function Actions({ of }: { of: WorkflowItem }) {
  const w = useWords(words)
  const submit = useMay('submit')
  const turn = useTurn(of)
  const [doing, setDoing] = useState<Doing | null>(null)
  if (!submit && turn === null) return null
  return (
    <>
      <Menu
        title={w.actions(of.workflow)} icon={Ellipsis} look="bare"
        items={[
          ...(submit ? [{ word: w.start, icon: Play, disabled: !of.version || of.archived_at !== null, act: () => setDoing('start') }] : []),
          ...(turn === 'pause' ? [{ word: w.pause, icon: Pause, act: () => setDoing('pause') }] : []),
          ...(turn === 'resume' ? [{ word: w.resume, icon: StepForward, act: () => setDoing('resume') }] : []),
        ]}
      />
      {doing && <Doings workflow={of.workflow} doing={doing} onClose={() => setDoing(null)} />}
    </>
  )
}

export function Doings({ workflow, doing, onClose }: { workflow: string; doing: Doing; onClose: () => void }) {
  const w = useWords(words)
  if (doing === 'start') return <Suspense fallback={null}><StartDialog workflow={workflow} onClose={onClose} /></Suspense>
  const word = w[doing].replace(/ ?…+$/, '')
  return (
    <Act title={`${word}: ${workflow}`} word={word} onClose={onClose} action={{ path: `/workflows/${encodeURIComponent(workflow)}/${doing}` }}>
      {doing === 'pause' ? w.pauseText(workflow) : w.resumeText(workflow)}
    </Act>
  )
}
