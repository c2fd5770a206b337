// A `<dialog>`: focus stays in it, Esc closes it, and what is behind it does not answer.
import { X } from 'lucide-react'
import { useEffect, useId, useRef, type FormEvent, type ReactNode } from 'react'
import { useCommon } from '../words'
import { Button } from './Button'
import './dialog.css'

interface Props {
  title: string
  /** Without it the dialog must be answered: Esc and the cross do not close it. */
  onClose?: () => void
  children: ReactNode
  /** What stands at the bottom, on the right. */
  foot?: ReactNode
  /** Enter and the foot's submit button. */
  onSubmit?: () => void
  /** `side`: a drawer on the right, the page stays usable beside it. */
  place?: 'middle' | 'side'
  wide?: boolean
}

export function Dialog({ title, onClose, children, foot, onSubmit, place = 'middle', wide }: Props) {
  const w = useCommon()
  const id = useId()
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = box.current
    if (!dialog || dialog.open) return
    place === 'side' ? dialog.show() : dialog.showModal()
    return () => dialog.close()
  }, [place])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSubmit?.()
  }
  return (
    <dialog
      ref={box}
      className="dialog"
      data-place={place}
      data-wide={wide || undefined}
      aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); onClose?.() }}
      onKeyDown={(event) => { if (event.key === 'Escape') { event.preventDefault(); event.stopPropagation(); onClose?.() } }}
      onMouseDown={(event) => { if (event.target === box.current && place === 'middle') onClose?.() }}
    >
      <form method="dialog" onSubmit={submit} className="dialog-in">
        <header className="dialog-head">
          <h2 id={id} className="grow cut">{title}</h2>
          {onClose && <Button icon={X} look="bare" title={w.do.close} onClick={onClose} />}
        </header>
        <div className="dialog-body">{children}</div>
        {foot && <footer className="dialog-foot">{foot}</footer>}
      </form>
    </dialog>
  )
}
