// Filters by state as buttons in a row, with how many there are where that is known.
import { count as number } from '../format'
import { useCommon } from '../words'
import { signOf } from './states'
import './page.css'

interface Props {
  label: string
  states: readonly string[]
  chosen: readonly string[]
  turn: (state: string) => void
  counts?: Record<string, number>
}

export function StateButtons({ label, states, chosen, turn, counts }: Props) {
  const w = useCommon()
  return (
    <span className="state-buttons" role="group" aria-label={label}>
      {states.map((state) => {
        const { icon: Icon, tone } = signOf(state)
        return (
          <button key={state} type="button" data-tone={tone} aria-pressed={chosen.includes(state)} title={w.meaning[state]} onClick={() => turn(state)}>
            <Icon aria-hidden size={13} strokeWidth={2.4} />{w.state[state]}{counts?.[state] !== undefined && <b>{number(counts[state])}</b>}
          </button>
        )
      })}
    </span>
  )
}
