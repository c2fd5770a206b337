// Who are you: a one-time code in the address (`#code=…`), or name and password.
import { useEffect, useRef, useState } from 'react'
import { ApiProblem, call } from '../api/call'
import type { Me } from '../api/types'
import { Button } from '../ui/Button'
import { Code } from '../ui/Empty'
import { Problem } from '../ui/Problem'
import { useCommon } from '../words'

/** The code is taken out of the address at once, so that it stands in no history and no screenshot. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code) history.replaceState(history.state, '', location.pathname + location.search)
  return code
}

export function Login({ code, reason, onDone }: { code: string | null; reason: ApiProblem | null; onDone: (me: Me) => void }) {
  const w = useCommon()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [busy, setBusy] = useState(code !== null)
  const used = useRef(false)
  const ask = async (path: string, body: object) => {
    setBusy(true)
    try {
      onDone((await call<Me>(path, { method: 'POST', body })).data)
    } catch (error) {
      setProblem(error as ApiProblem)
      setBusy(false)
    }
  }
  useEffect(() => {
    if (!code || used.current) return
    used.current = true
    void ask('/login/code', { code })
  })
  useEffect(() => void (document.title = `${w.login.title} · qflowd`), [w])
  if (code && busy) return <div className="login" role="status">{w.login.withCode}</div>
  return (
    <main className="login">
      <form className="login-box stack" onSubmit={(event) => { event.preventDefault(); void ask('/login', { name, password }) }}>
        <h1><img src="./icon.svg" alt="" width="26" height="26" />{w.app}</h1>
        {reason && reason.code !== 40101 && !problem && <p className="muted">{w.codes[reason.code] ?? reason.message}</p>}
        <label className="field"><span>{w.login.name}</span><input className="input" value={name} onChange={(e) => setName(e.target.value)} autoComplete="username" required autoFocus /></label>
        <label className="field"><span>{w.login.password}</span><input className="input" type="password" value={password} onChange={(e) => setPassword(e.target.value)} autoComplete="current-password" required /></label>
        {problem && (problem.code === 40102 && code && !name ? <p role="alert">{w.login.badCode}</p> : <Problem error={problem} />)}
        <Button type="submit" look="main" disabled={busy}>{w.login.signIn}</Button>
        <p className="muted">{w.login.hint}</p>
        <Code text={`qflowd login-link ${name || 'NAME'}`} />
      </form>
    </main>
  )
}
