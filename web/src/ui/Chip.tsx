// A state as sign, word and colour.
import { useCommon } from '../words'
import { signOf, type Tone } from './states'
import './chip.css'

interface Props {
  state: string
  /** Only the sign; the word is its title and is read aloud. */
  small?: boolean
  title?: string
  /** Whose state it is, if not a run's or a task's. */
  of?: 'DAEMON'
}

export function Chip({ state, small = false, title, of }: Props) {
  const w = useCommon()
  const { tone, icon: Icon } = signOf(state, of)
  const word = w.state[state] ?? state
  const meaning = title ?? w.meaning[`${of}_${state}`] ?? w.meaning[state]
  return (
    <span className={`chip ${small ? 'chip-small' : ''}`} data-tone={tone} data-state={state} title={small ? [word, meaning].filter(Boolean).join(': ') : meaning}>
      <Icon aria-hidden size={13} strokeWidth={2.4} className={state === 'RUNNING' ? 'turns' : undefined} />
      <span className={small ? 'hidden-text' : undefined}>{word}</span>
    </span>
  )
}

/** A word in one of the six colours, for what is no state: "late", "file", "breaker". */
export function Tag({ tone = 'wait', children, title }: { tone?: Tone; children: React.ReactNode; title?: string }) {
  return <span className="chip tag" data-tone={tone} title={title}>{children}</span>
}
