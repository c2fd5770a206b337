// A dialog for whatever changes something: says what and how many, asks why, and shows what the server said.
import { useState, type ReactNode } from 'react'
import { useAction, type Action } from '../api/queries'
import { useCommon } from '../words'
import { Button } from './Button'
import { Dialog } from './Dialog'
import { Problem } from './Problem'

interface Props {
  title: string
  /** What will happen to what, in a sentence. */
  children: ReactNode
  /** The word on the button. */
  word: string
  danger?: boolean
  /** The reason goes into `body.reason`. */
  action: Action
  withReason?: boolean
  /** The server wants to know why. */
  needReason?: boolean
  /** What is shown in it needs room. */
  wide?: boolean
  /** It cannot be done yet; the text says why. */
  notYet?: boolean
  onClose: () => void
  done?: (data: unknown) => void
}

export function Act({ title, children, word, danger, action, withReason = true, needReason = false, wide, notYet = false, onClose, done }: Props) {
  const w = useCommon()
  const [reason, setReason] = useState('')
  const change = useAction((reply) => {
    done?.(reply.data)
    onClose()
  })
  const go = () => {
    if (change.isPending || notYet || (needReason && !reason.trim())) return
    const body = { ...(action.body as object | undefined), ...(withReason && reason.trim() ? { reason: reason.trim() } : {}) }
    change.mutate({ ...action, body })
  }
  return (
    <Dialog
      title={title}
      wide={wide}
      onClose={onClose}
      onSubmit={go}
      foot={
        <>
          <Button onClick={onClose}>{w.do.cancel}</Button>
          <Button type="submit" look={danger ? 'danger' : 'main'} disabled={change.isPending || notYet || (needReason && !reason.trim())}>{word}</Button>
        </>
      }
    >
      <div>{children}</div>
      {withReason && (
        <label className="field">
          <span>{w.field.reason}{!needReason && ` (${w.field.optional})`}</span>
          <input className="input" value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} autoFocus />
        </label>
      )}
      {change.error && <Problem error={change.error} />}
    </Dialog>
  )
}
