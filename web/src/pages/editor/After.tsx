// What a task waits for, and under which condition: the edges that end at it.
import { X } from 'lucide-react'
import { Button } from '../../ui/Button'
import { isMap, type Json } from '../../ui/schemaFields'
import { useWords } from '../../words'
import { Committed } from './Committed'
import { behind, inOrder, parentsIn, tasksOf } from './document'
import { useDraft, useDraftState } from './useDraft'
import { words } from './words'

export function After({ task }: { task: string }) {
  const w = useWords(words)
  const draft = useDraft()
  const { document } = useDraftState()
  const parents = parentsIn(tasksOf(document)[task] ?? {})
  const later = behind(document, task)
  const free = inOrder(document).filter((key) => !(key in parents) && !later.has(key))
  return (
    <section className="editor-after" aria-label={w.parent}>
      <h3>{w.parent}</h3>
      {Object.keys(parents).length === 0 && <p className="muted">{w.startsAtOnce}</p>}
      <ul>
        {Object.entries(parents).map(([from, condition]) => (
          <li key={from}>
            <div className="row"><strong className="grow cut" title={from}>{from}</strong><Button icon={X} look="bare" title={w.dropParent(from)} onClick={() => draft.edit({ kind: 'unedge', from, to: task })} /></div>
            <Condition from={from} to={task} condition={condition} />
          </li>
        ))}
      </ul>
      {free.length > 0 && (
        <select className="input" aria-label={w.addParent} value="" onChange={(event) => draft.edit({ kind: 'edge', from: event.target.value, to: task, condition: true })}>
          <option value="">{w.addParent}</option>
          {free.map((key) => <option key={key} value={key}>{key}</option>)}
        </select>
      )}
    </section>
  )
}

type Kind = 'always' | 'ifTrue' | 'each' | 'breaker' | 'other'

function kindOf(condition: Json): Kind {
  if (condition === true) return 'always'
  if (condition === 'each') return 'each'
  if (typeof condition === 'string') return 'ifTrue'
  return isMap(condition) && condition.on === 'breaker_open' && Object.keys(condition).length === 1 ? 'breaker' : 'other'
}

/** The condition of one edge: always, an expression, item by item, or the breaker. */
export function Condition({ from, to, condition }: { from: string; to: string; condition: Json }) {
  const w = useWords(words)
  const draft = useDraft()
  const { typed } = useDraftState()
  const field = `edge:${from}:${to}`
  const kind = typed[field] !== undefined ? 'ifTrue' : kindOf(condition)
  const put = (next: Json) => draft.edit({ kind: 'edge', from, to, condition: next })
  const choose = (next: string) => {
    // An edge without its expression would hold always, so it stays as it is until one is typed.
    draft.type(field, next === 'ifTrue' ? '' : undefined)
    if (next === 'always') put(true)
    if (next === 'each') put('each')
    if (next === 'breaker') put({ on: 'breaker_open' })
  }
  return (
    <div className="editor-condition">
      <select className="input" aria-label={w.condition(from)} value={kind} onChange={(event) => choose(event.target.value)}>
        <option value="always">{w.always}</option>
        <option value="ifTrue">{w.ifTrue}</option>
        <option value="each">{w.each}</option>
        <option value="breaker">{w.breaker}</option>
        {kind === 'other' && <option value="other">{JSON.stringify(condition)}</option>}
      </select>
      {kind === 'ifTrue' && (
        <Committed name={field} value={typeof condition === 'string' && condition !== 'each' ? condition : ''} aria-label={`${w.expression}: ${from}`} placeholder={`${from}.output.rows > 0`} commit={(value) => put(value === '' ? true : value)} />
      )}
    </div>
  )
}
