// Two people changed the draft: what each did, both taken together, and a choice wherever they changed the same thing.
import { useState } from 'react'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import type { Json } from '../../ui/schemaFields'
import { useWords } from '../../words'
import { changes, clashes, merged, placeText, type Change, type Side } from './merge'
import { useDraft, useDraftState } from './useDraft'
import { words } from './words'

export function Conflict() {
  const w = useWords(words)
  const draft = useDraft()
  const { saved, document, theirs } = useDraftState()
  const [chosen, setChosen] = useState<Record<string, Side>>({})
  if (!theirs) return null
  const both = clashes(saved.document, document, theirs.document)
  const isClash = new Set(both.map((clash) => placeText(clash.place)))
  const rest = (found: Change[]) => found.filter((one) => ![...isClash].some((place) => placeText(one.place) === place || placeText(one.place).startsWith(`${place}.`)))
  const take = () => {
    draft.settle(merged(saved.document, document, theirs.document, (clash) => chosen[placeText(clash.place)] ?? 'mine'))
    for (const field of Object.keys(draft.get().typed)) if (field !== 'yaml') draft.type(field, undefined)
  }
  const giveUp = () => {
    for (const field of Object.keys(draft.get().typed)) draft.type(field, undefined)
    draft.settle(theirs.document)
  }
  return (
    <Dialog
      wide title={w.conflictTitle} onSubmit={take}
      foot={<><Button onClick={giveUp}>{w.onlyTheirs}</Button><Button type="submit" look="main">{w.takeBoth}</Button></>}
    >
      <p>{w.conflictWhat}</p>
      {both.length > 0 && (
        <section className="conflict">
          <h3>{w.bothChanged}</h3>
          {both.map((clash) => {
            const place = placeText(clash.place)
            return (
              <fieldset key={place}>
                <legend><code>{place}</code></legend>
                {(['mine', 'theirs'] as const).map((side) => (
                  <label key={side}>
                    <input type="radio" name={place} checked={(chosen[place] ?? 'mine') === side} onChange={() => setChosen({ ...chosen, [place]: side })} />
                    <span><strong>{w[side]}</strong><Value of={clash[side]} /></span>
                  </label>
                ))}
              </fieldset>
            )
          })}
        </section>
      )}
      <Listed title={w.theyChanged} of={rest(changes(saved.document, theirs.document))} />
      <Listed title={w.youChanged} of={rest(changes(saved.document, document))} />
    </Dialog>
  )
}

function Listed({ title, of }: { title: string; of: Change[] }) {
  const w = useWords(words)
  return (
    <section className="conflict">
      <h3>{title}</h3>
      {of.length === 0 && <p className="muted">{w.noChange}</p>}
      <ul>{of.map((one) => <li key={placeText(one.place)}><code>{placeText(one.place)}</code><Value of={one.before} isOld /><Value of={one.after} /></li>)}</ul>
    </section>
  )
}

function Value({ of, isOld }: { of: Json | undefined; isOld?: boolean }) {
  const w = useWords(words)
  if (of === undefined) return isOld ? null : <em className="muted">{w.gone}</em>
  const text = typeof of === 'string' ? of : JSON.stringify(of)
  return isOld ? <del title={text}>{text}</del> : <span className="mono" title={text}>{text}</span>
}
