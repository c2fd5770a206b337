// Makes a token: for whom, how long, and for what alone it is good. Then its secret, this once.
import { useState } from 'react'
import { root } from '../../api/call'
import { reaches, useMe } from '../../api/me'
import { useAction, useList } from '../../api/queries'
import { absolute } from '../../format'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Code } from '../../ui/Empty'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { listed, rolesUpTo, type MadeToken, type PrincipalItem } from './access'
import { Once } from './Once'
import { words } from './words'

export function MakeToken({ onClose }: { onClose: () => void }) {
  const w = useWords(words)
  const { zone } = useSettings()
  const [made, setMade] = useState<MadeToken | null>(null)
  if (made === null) return <Form onClose={onClose} done={setMade} />
  return (
    <Once title={w.title} secret={made.token} onClose={onClose}>
      <p className="muted">{w.onceText} {w.noted(absolute(made.expires_at, zone))}</p>
      <h3>{w.tryIt}</h3>
      <Code text={`curl -H "Authorization: Bearer $QFLOWD_TOKEN" ${new URL('api/v1/me', root).href}`} />
    </Once>
  )
}

function Form({ onClose, done }: { onClose: () => void; done: (made: MadeToken) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const me = useMe()
  const [typed, setTyped] = useState({ note: '', principal: me.principal, role: me.role as string, days: '90', workflows: '', jobs: '', networks: '' })
  const make = useAction<MadeToken>((reply) => done(reply.data))
  const days = Number(typed.days)
  const fits = Number.isInteger(days) && days >= 1 && days <= 400
  const go = () => {
    if (!fits || make.isPending) return
    const { note, principal, role } = typed
    make.mutate({ path: '/tokens', body: { note: note.trim() || null, principal, role, days, workflows: listed(typed.workflows), jobs: listed(typed.jobs), networks: listed(typed.networks) } })
  }
  const write = (name: keyof typeof typed) => (event: { target: { value: string } }) => setTyped({ ...typed, [name]: event.target.value })
  return (
    <Dialog title={w.makeWord} onClose={onClose} onSubmit={go} foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={!fits || make.isPending}>{w.makeWord}</Button></>}>
      <label className="field"><span>{w.note}</span><input className="input" value={typed.note} maxLength={1000} placeholder={w.noteHint} autoFocus onChange={write('note')} /></label>
      <div className="access-pair">
        {reaches(me, 'admin') && <Owner value={typed.principal} write={write('principal')} />}
        <label className="field"><span>{w.role}</span>
          <select className="input" value={typed.role} onChange={write('role')}>{rolesUpTo(me.role).map((role) => <option key={role} value={role}>{role}</option>)}</select>
        </label>
        <label className="field"><span>{w.days}</span><input className="input" type="number" min={1} max={400} value={typed.days} aria-invalid={!fits} onChange={write('days')} /></label>
      </div>
      <p className="muted">{w.roles[typed.role]}. {w.roleHint}</p>
      <details>
        <summary>{w.limits}</summary>
        <div className="stack">
          {(['workflows', 'jobs', 'networks'] as const).map((name) => (
            <label key={name} className="field"><span>{w[name]}</span><input className="input mono" value={typed[name]} placeholder={name === 'networks' ? w.networksHint : w.globsHint} onChange={write(name)} /></label>
          ))}
        </div>
      </details>
      {make.error && <Problem error={make.error} />}
    </Dialog>
  )
}

function Owner({ value, write }: { value: string; write: (event: { target: { value: string } }) => void }) {
  const w = useWords(words)
  const people = useList<PrincipalItem>('/principals', { limit: 500 }, { every: false })
  const names = [...new Set([value, ...(people.items ?? []).filter((one) => !one.disabled_at).map((one) => one.name)])]
  return (
    <label className="field"><span>{w.forWhom}</span>
      <select className="input" value={value} onChange={write}>{names.map((name) => <option key={name}>{name}</option>)}</select>
    </label>
  )
}
