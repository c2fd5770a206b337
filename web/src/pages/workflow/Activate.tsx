// A version is put into effect, for all new runs or a share of them: what would change is shown before anything does.
import { useState, type ReactNode } from 'react'
import { Act } from '../../ui/Act'
import { useWords } from '../../words'
import { Difference } from './Difference'
import { words } from './words'

interface Props {
  workflow: string
  version: number
  /** The version that new runs take now; null: there is none. */
  active: number | null
  title: string
  word: string
  onClose: () => void
  done?: () => void
  /** Why it cannot be done yet, instead of the difference. */
  notYet?: ReactNode
}

export function Activate({ workflow, version, active, title, word, onClose, done, notYet }: Props) {
  const w = useWords(words)
  const [weight, setWeight] = useState(100)
  const isShare = active !== null && weight < 100
  return (
    <Act
      title={title} word={word} wide onClose={onClose} done={done} notYet={Boolean(notYet)}
      action={{ path: `/workflows/${encodeURIComponent(workflow)}/versions/${version}/activate`, body: { weight } }}
    >
      <div className="stack">
        <p>{active === null ? w.activateFirst(version) : isShare ? w.activateShare(version, weight, active) : w.activateText(version)}</p>
        {notYet ?? (active !== null && (
          <>
            <label className="field weight"><span>{w.weight}</span><span className="row"><input type="range" min={1} max={100} value={weight} aria-label={w.weight} onChange={(event) => setWeight(Number(event.target.value))} /><output className="num">{weight} %</output></span></label>
            <Difference workflow={workflow} from={String(active)} to={String(version)} />
          </>
        ))}
      </div>
    </Act>
  )
}
