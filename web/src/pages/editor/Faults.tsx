// What keeps the draft from being published; a click goes to the place.
import { Check, TriangleAlert } from 'lucide-react'
import { useWords } from '../../words'
import { placeOf, tasksOf } from './document'
import { useDraftState } from './useDraft'
import { words } from './words'

export function Faults({ choose }: { choose: (task: string) => void }) {
  const w = useWords(words)
  const { saved, document } = useDraftState()
  const keys = Object.keys(tasksOf(document))
  const n = saved.faults.length
  return (
    <section className="editor-faults" data-tone={n > 0 ? 'bad' : 'good'} aria-label={w.faults(n)}>
      <h2>{n > 0 ? <TriangleAlert aria-hidden size={15} /> : <Check aria-hidden size={15} />} {w.faults(n)} {n === 0 && <span className="muted">{w.faultless}</span>}</h2>
      {n > 0 && (
        <ul>
          {saved.faults.map((fault, i) => {
            const { task, field } = placeOf(fault.where, keys)
            return (
              <li key={i}>
                <button type="button" onClick={() => choose(task ?? '')}>
                  <code>{task ?? w.whole}</code>{field && <code className="muted">{field}</code>}<span className="grow">{fault.message}</span>
                </button>
              </li>
            )
          })}
        </ul>
      )}
    </section>
  )
}
