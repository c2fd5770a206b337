// Nothing to show, and what to do about it: "nothing there" and "nothing matches" are two different things.
import { Check, Copy as CopyIcon, SearchX } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useCommon } from '../words'
import { Button } from './Button'
import './empty.css'

interface Props {
  title: string
  children?: ReactNode
  /** Lines to copy: a command, a piece of YAML. */
  code?: string
  /** Given when filters are set: clears them. */
  onClear?: () => void
  action?: ReactNode
}

export function Empty({ title, children, code, onClear, action }: Props) {
  const w = useCommon()
  return (
    <div className="empty">
      {onClear && <SearchX aria-hidden size={22} />}
      <p className="empty-title">{title}</p>
      {children && <div className="muted">{children}</div>}
      {code && <Code text={code} />}
      {onClear && <Button onClick={onClear}>{w.do.clear}</Button>}
      {action}
    </div>
  )
}

/** Lines in a frame with a button that copies them. */
export function Code({ text }: { text: string }) {
  return (
    <div className="code">
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} />
    </div>
  )
}

export function Copy({ text, title }: { text: string; title?: string }) {
  const w = useCommon()
  const [done, setDone] = useState(false)
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    })
  }
  return <Button icon={done ? Check : CopyIcon} look="bare" title={done ? w.do.copied : (title ?? w.do.copy)} onClick={copy} />
}
