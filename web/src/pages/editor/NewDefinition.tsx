// A task definition of a type, made on the way to a task that names it.
import { useState } from 'react'
import { useAction } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { words } from './words'

export function NewDefinition({ type, onClose, done }: { type: string; onClose: () => void; done: (key: string) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [key, setKey] = useState('')
  const make = useAction(() => {
    done(key.trim())
    onClose()
  })
  const go = () => {
    if (key.trim() && !make.isPending) make.mutate({ path: '/task-definitions', body: { key: key.trim(), type } })
  }
  return (
    <Dialog title={w.newOf(type)} onClose={onClose} onSubmit={go} foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={make.isPending || !key.trim()}>{w.makeAndAdd}</Button></>}>
      <label className="field"><span>{w.newKey}</span><input className="input mono" value={key} autoFocus autoComplete="off" spellCheck={false} maxLength={200} onChange={(event) => setKey(event.target.value)} /></label>
      <p className="muted">{w.newOfWhat}</p>
      {make.error && <Problem error={make.error} />}
    </Dialog>
  )
}
