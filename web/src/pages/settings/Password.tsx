// A password, for those who do not want a link each time.
import { useState } from 'react'
import { useAction } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { words } from './words'

export function Password({ has }: { has: boolean }) {
  const w = useWords(words)
  const [open, setOpen] = useState(false)
  const [done, setDone] = useState(false)
  return (
    <span className="row">
      <Button onClick={() => setOpen(true)}>{has ? w.changePassword : w.setPassword}</Button>
      {done && <span className="muted" role="status">{w.passwordSet}</span>}
      {open && <Form has={has} onClose={() => setOpen(false)} done={() => setDone(true)} />}
    </span>
  )
}

function Form({ has, onClose, done }: { has: boolean; onClose: () => void; done: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [old, setOld] = useState('')
  const [password, setPassword] = useState('')
  const change = useAction(() => {
    done()
    onClose()
  })
  const go = () => change.mutate({ method: 'PUT', path: '/me', body: has ? { old_password: old, password } : { password } })
  return (
    <Dialog
      title={has ? w.changePassword : w.setPassword} onClose={onClose} onSubmit={go}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={password.length < 12 || change.isPending}>{common.do.save}</Button></>}
    >
      {has && <label className="field"><span>{w.oldPassword}</span><input className="input" type="password" autoComplete="current-password" value={old} onChange={(event) => setOld(event.target.value)} /></label>}
      <label className="field"><span>{w.newPassword}</span><input className="input" type="password" autoComplete="new-password" minLength={12} value={password} onChange={(event) => setPassword(event.target.value)} autoFocus={!has} /></label>
      {change.error && <Problem error={change.error} />}
    </Dialog>
  )
}
