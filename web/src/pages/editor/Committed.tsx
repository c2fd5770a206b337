// One line of text that becomes an edit by Enter or when it is left; Esc gives it up. What is typed is kept until then.
import { useId, type InputHTMLAttributes } from 'react'
import { useTyped } from './useDraft'

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onChange' | 'list' | 'name'> {
  /** Under which name it is kept. */
  name: string
  value: string
  commit: (value: string) => void
  /** Offered while one types. */
  choices?: readonly string[]
}

export function Committed({ name, value, commit, choices, ...rest }: Props) {
  const id = useId()
  const [typed, keep] = useTyped<string>(name)
  const take = () => {
    if (typed === undefined) return
    keep(undefined)
    if (typed.trim() !== value) commit(typed.trim())
  }
  return (
    <>
      <input
        {...rest} className="input" value={typed ?? value} autoComplete="off" spellCheck={false} list={choices ? id : undefined} onBlur={take}
        onChange={(event) => keep(event.target.value === value ? undefined : event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') { event.preventDefault(); take() }
          if (event.key === 'Escape') { event.stopPropagation(); keep(undefined) }
        }}
      />
      {choices && <datalist id={id}>{choices.map((one) => <option key={one} value={one} />)}</datalist>}
    </>
  )
}
