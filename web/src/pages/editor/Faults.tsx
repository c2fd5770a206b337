// What keeps the draft from being published; a click goes to the place.
import { Check, TriangleAlert } from 'lucide-react'
import { useWords } from '../../words'
import { placeOf, tasksOf } from './document'
import { useDraftState } from './useDraft'
import { words } from './words'

export function Faults({ choose }: { choose: (task: string) => void }) {
  const { saved, document } = useDraftState()
  const keys = Object.keys(tasksOf(document))
  return <FaultPanel faults={saved.faults.map((fault) => ({ ...placeOf(fault.where, keys), message: fault.message }))} pick={(fault) => choose(fault.task ?? '')} />
}

export interface PlacedFault {
  task: string | null
  field: string
  message: string
  /** Of a text; from 1. */
  line?: number
}

export function FaultPanel({ faults, pick }: { faults: PlacedFault[]; pick: (fault: PlacedFault) => void }) {
  const w = useWords(words)
  const n = faults.length
  return (
    <section className="editor-faults" data-tone={n > 0 ? 'bad' : 'good'} aria-label={w.faults(n)}>
      <h2>{n > 0 ? <TriangleAlert aria-hidden size={15} /> : <Check aria-hidden size={15} />} {w.faults(n)} {n === 0 && <span className="muted">{w.faultless}</span>}</h2>
      {n > 0 && (
        <ul>
          {faults.map((fault, i) => (
            <li key={i}>
              <button type="button" onClick={() => pick(fault)}>
                {fault.line ? <strong>{w.line(fault.line)}</strong> : null}
                <code>{fault.task ?? w.whole}</code>{fault.field && <code className="muted">{fault.field}</code>}<span className="grow">{fault.message}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
