// The whole: who looks, then the shell with one page in it.
import { QueryClientProvider } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { Link, Route, Router, Switch, useLocation } from 'wouter'
import { ApiProblem, basePath, call, keepCsrf, onSignedOut, tenant } from './api/call'
import { MeProvider } from './api/me'
import { client } from './api/queries'
import type { Me } from './api/types'
import { codeOf, loadPage, loads, type Load } from './loads'
import { pages } from './pages'
import { settings } from './settings'
import { Login, takeCode } from './shell/Login'
import { Shell } from './shell/Shell'
import { inTenant, pageOf, useTenantLocation } from './tenant'
import { Empty } from './ui/Empty'
import { Fence, Problem, Waiting } from './ui/Problem'
import { useCommon } from './words'

export function App() {
  const [code] = useState(takeCode)
  const [me, setMe] = useState<Me | null>(null)
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const known = (found: Me) => {
    keepCsrf(found.csrf)
    if (found.lang === 'en' || found.lang === 'zh') settings.set({ lang: found.lang })
    if (found.zone) settings.set({ zone: found.zone })
    if (found.theme === 'system' || found.theme === 'light' || found.theme === 'dark') settings.set({ theme: found.theme })
    if (found.density === 'dense' || found.density === 'roomy') settings.set({ density: found.density })
    // What else asks who looks need not ask at once.
    client.setQueryData(['/me', {}], found)
    setProblem(null)
    setMe(found)
  }
  const ask = () => void call<Me>('/me').then((reply) => known(reply.data), (error: ApiProblem) => setProblem(error))
  // A new login answers with who we are, but the secret of its forms comes from /me alone.
  useEffect(() => {
    if (!code) ask()
  }, [code])
  useEffect(() => onSignedOut((why) => { setMe(null); setProblem(why); client.clear() }), [])
  if (me) {
    return (
      <QueryClientProvider client={client}>
        <MeProvider me={me}>
          <Router base={basePath} hook={useTenantLocation} hrefs={inTenant}><Inside /></Router>
        </MeProvider>
      </QueryClientProvider>
    )
  }
  if (problem && Math.floor(problem.code / 100) !== 401) return <Refused problem={problem} again={ask} />
  if (problem || code) return <Login code={problem ? null : code} reason={problem} onDone={(found) => (found.csrf ? known(found) : ask())} />
  return null
}

function Refused({ problem, again }: { problem: ApiProblem; again: () => void }) {
  const w = useCommon()
  return (
    <main className="login">
      <div className="stack"><Problem error={problem} again={again} />{tenant !== '' && <a href={pageOf('', '/')}>{w.top.ownTenant}</a>}</div>
    </main>
  )
}

function Inside() {
  const w = useCommon()
  const [at] = useLocation()
  return (
    <Shell>
      <Fence name={at}>
        <Switch>
          {pages.map(({ path }) => <Route key={path} path={path}>{(params) => <Page load={loads[path]} params={decoded(params)} />}</Route>)}
          <Route><Empty title={w.problem.noPage} action={<Link href="/">{w.problem.toToday}</Link>}><code>{location.pathname}</code></Empty></Route>
        </Switch>
      </Fence>
    </Shell>
  )
}

/** `lazy` would do, but React shows what was suspended at the earliest 0.3 s after it has shown that it waits. */
function Page({ load, params }: { load: Load; params: Record<string, string | undefined> }) {
  const [, tell] = useState<Load>()
  const Code = codeOf(load)
  useEffect(() => {
    if (!Code) loadPage(load).then(() => tell(load), (error: unknown) => tell(() => { throw error }))
  }, [load, Code])
  return Code ? <Code {...params} /> : <Waiting />
}

// Keys may hold a slash, which stands as %2F in an address.
const decoded = (params: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value === undefined ? value : safely(value)]))

function safely(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
