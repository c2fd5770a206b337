// What is done to a person: added, given a link, another role, disabled, enabled, deleted.
import { useState } from 'react'
import { useMe } from '../../api/me'
import { useAction, useTagged } from '../../api/queries'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Loaded, Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { rolesUpTo, type LoginLink, type PrincipalItem } from './access'
import { Once } from './Once'
import { words } from './words'

export type PersonVerb = 'login' | 'change' | 'disable' | 'enable' | 'remove'

export function PersonDialog({ verb, of, onClose }: { verb: PersonVerb; of: PrincipalItem; onClose: () => void }) {
  if (verb === 'login') return <Link of={of} onClose={onClose} />
  return <Changing verb={verb} of={of} onClose={onClose} />
}

/** The server refuses a change of what is no longer as it is shown here. */
function Changing({ verb, of, onClose }: { verb: Exclude<PersonVerb, 'login'>; of: PrincipalItem; onClose: () => void }) {
  const w = useWords(words)
  const me = useMe()
  const path = `/principals/${of.id}`
  const found = useTagged<PrincipalItem>(path)
  const [role, setRole] = useState(of.role)
  if (!found.data) return <Dialog title={of.name} onClose={onClose}><Loaded of={found} lines={2}>{() => null}</Loaded></Dialog>
  const shared = { title: `${w[`${verb}Word`]}: ${of.name}`, word: w[`${verb}Word`], withReason: false, onClose }
  const etag = found.data.etag
  if (verb === 'change') {
    return (
      <Act {...shared} action={{ method: 'PUT', path, body: { role }, etag }}>
        <label className="field"><span>{w.personRole}</span><select className="input" value={role} onChange={(event) => setRole(event.target.value)}>{rolesUpTo(me.role).map((each) => <option key={each}>{each}</option>)}</select></label>
        <p className="muted">{w.roles[role]}</p>
      </Act>
    )
  }
  if (verb === 'remove') return <Act {...shared} danger action={{ method: 'DELETE', path, etag }}>{w.removeText(of.name)}</Act>
  return <Act {...shared} danger={verb === 'disable'} action={{ method: 'PUT', path, body: { disabled: verb === 'disable' }, etag }}>{verb === 'disable' ? w.disableText(of.name) : w.enableText(of.name)}</Act>
}

function Link({ of, onClose }: { of: PrincipalItem; onClose: () => void }) {
  const w = useWords(words)
  const [made, setMade] = useState<LoginLink | null>(null)
  if (made) return <Once title={w.loginTitle(of.name)} secret={made.link} onClose={onClose}><p className="muted">{w.loginOnce}</p></Once>
  // The dialog stays: what it has made is shown next.
  return <Asking of={of} onClose={onClose} done={setMade} />
}

function Asking({ of, onClose, done }: { of: PrincipalItem; onClose: () => void; done: (made: LoginLink) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const make = useAction<LoginLink>((reply) => done(reply.data))
  return (
    <Dialog
      title={w.loginTitle(of.name)} onClose={onClose} onSubmit={() => make.isPending || make.mutate({ path: `/principals/${of.id}/login-link` })}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={make.isPending}>{w.loginWord}</Button></>}
    >
      <p>{w.loginText(of.name)}</p>
      {make.error && <Problem error={make.error} />}
    </Dialog>
  )
}

export function AddPerson({ onClose }: { onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const me = useMe()
  const [name, setName] = useState('')
  const [kind, setKind] = useState('human')
  const [role, setRole] = useState('read')
  const [added, setAdded] = useState<PrincipalItem | null>(null)
  const add = useAction<PrincipalItem>((reply) => (kind === 'human' ? setAdded(reply.data) : onClose()))
  if (added) return <Link of={added} onClose={onClose} />
  const ready = name.trim() !== '' && !add.isPending
  return (
    <Dialog
      title={w.addWord} onClose={onClose} onSubmit={() => ready && add.mutate({ path: '/principals', body: { name: name.trim(), kind, role } })}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={!ready}>{w.addWord}</Button></>}
    >
      <label className="field"><span>{w.person}</span><input className="input" value={name} maxLength={200} autoFocus autoComplete="off" onChange={(event) => setName(event.target.value)} /></label>
      <div className="access-pair">
        <label className="field"><span>{w.kind}</span><select className="input" value={kind} onChange={(event) => setKind(event.target.value)}>{Object.entries(w.kinds).map(([value, word]) => <option key={value} value={value}>{word}</option>)}</select></label>
        <label className="field"><span>{w.personRole}</span><select className="input" value={role} onChange={(event) => setRole(event.target.value)}>{rolesUpTo(me.role).map((each) => <option key={each}>{each}</option>)}</select></label>
      </div>
      <p className="muted">{w.roles[role]}</p>
      {add.error && <Problem error={add.error} />}
    </Dialog>
  )
}
