// What is shown this once: a secret or a link, with a button that copies it.
import { type ReactNode } from 'react'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Code } from '../../ui/Empty'
import { useWords } from '../../words'
import { words } from './words'

export function Once({ title, secret, children, onClose }: { title: string; secret: string; children: ReactNode; onClose: () => void }) {
  const w = useWords(words)
  return (
    <Dialog title={title} onClose={onClose} onSubmit={onClose} foot={<Button type="submit" look="main">{w.done}</Button>}>
      <strong>{w.once}</strong>
      <div className="once"><Code text={secret} /></div>
      {children}
    </Dialog>
  )
}
