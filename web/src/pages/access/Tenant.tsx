// One tenant: its quotas with how much of each is used, and what it used in the last days.
import { useState } from 'react'
import { ApiProblem } from '../../api/call'
import { useMay } from '../../api/me'
import { useAction, useTagged } from '../../api/queries'
import { count } from '../../format'
import { Act } from '../../ui/Act'
import { Progress } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Empty } from '../../ui/Empty'
import { Panel } from '../../ui/Panel'
import { Loaded, Problem } from '../../ui/Problem'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { NUMBER_QUOTAS, PATTERN_QUOTAS, quotasOf, typedOf, type QuotaItem, type TenantDetail } from './access'
import { Usage } from './Usage'
import { words } from './words'

type Doing = 'quotas' | 'suspend' | 'activate' | 'remove'

export function Tenant({ name }: { name: string }) {
  const w = useWords(words)
  const system = useMay('system')
  const path = `/tenants/${encodeURIComponent(name)}`
  const found = useTagged<TenantDetail>(path)
  const [doing, setDoing] = useState<Doing | null>(null)
  if (found.error instanceof ApiProblem && found.error.code === 40401) return <Empty title={w.noRow(name)}>{w.noRowMore}</Empty>
  return (
    <Loaded of={found} lines={4}>
      {({ data: tenant, etag }) => (
        <div className="access-tenant">
          <Panel title={`${w.quotas}: ${tenant.title || tenant.name}`} actions={system && (
            <span className="row panel-acts">
              <Button look="bare" onClick={() => setDoing(tenant.state === 'ACTIVE' ? 'suspend' : 'activate')}>{tenant.state === 'ACTIVE' ? w.suspend : w.activate}</Button>
              <Button look="bare" onClick={() => setDoing('remove')}>{w.remove}</Button>
              <Button onClick={() => setDoing('quotas')}>{w.setQuotas}</Button>
            </span>
          )}>
            {tenant.quotas.length === 0 ? <p className="muted">{w.noQuotas}</p> : <ul className="quotas">{tenant.quotas.map((quota) => <Quota key={quota.name} of={quota} />)}</ul>}
          </Panel>
          <Usage tenant={name} />
          {doing === 'quotas' && <Quotas path={path} of={tenant} etag={etag} onClose={() => setDoing(null)} />}
          {(doing === 'suspend' || doing === 'activate') && (
            <Act title={`${w[`${doing}Word`]}: ${name}`} word={w[`${doing}Word`]} danger={doing === 'suspend'} withReason={false} onClose={() => setDoing(null)} action={{ method: 'PUT', path, etag, body: { state: doing === 'suspend' ? 'SUSPENDED' : 'ACTIVE' } }}>{w[`${doing}Text`](name)}</Act>
          )}
          {doing === 'remove' && <Act title={`${w.removeWord}: ${name}`} word={w.removeWord} danger withReason={false} onClose={() => setDoing(null)} action={{ method: 'DELETE', path, etag }}>{w.dropTenantText(name)}</Act>}
        </div>
      )}
    </Loaded>
  )
}

function Quota({ of: quota }: { of: QuotaItem }) {
  const w = useWords(words)
  const word = w.quota[quota.name] ?? quota.name
  const share = typeof quota.value === 'number' && quota.used !== null && quota.value > 0 ? quota.used / quota.value : null
  return (
    <li data-full={(share !== null && share >= 1) || undefined}>
      <span>{word}</span>
      {Array.isArray(quota.value) ? <span className="access-scope">{quota.value.map((each) => <code key={each}>{each}</code>)}</span>
        : <span className="quota-bar">{share !== null && <Progress value={share} label={word} />}<span className="num">{quota.used === null ? count(quota.value) : w.of(count(Math.round(quota.used)), count(quota.value))}</span></span>}
      <span className="muted">{quota.set_by} · <Time at={quota.updated_at} /></span>
    </li>
  )
}

function Quotas({ path, of, etag, onClose }: { path: string; of: TenantDetail; etag: string | null; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [typed, setTyped] = useState(() => typedOf(of.quotas))
  const set = useAction(onClose)
  return (
    <Dialog
      title={`${w.quotas}: ${of.name}`} onClose={onClose} onSubmit={() => set.isPending || set.mutate({ method: 'PUT', path: `${path}/quotas`, etag, body: { quotas: quotasOf(typed) } })}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={set.isPending}>{w.save}</Button></>}
    >
      <p className="muted">{w.quotasText}</p>
      <div className="access-quotas">
        {NUMBER_QUOTAS.map((name) => <label key={name} className="field"><span>{w.quota[name]}</span><input className="input" type="number" value={typed[name] ?? ''} onChange={(event) => setTyped({ ...typed, [name]: event.target.value })} /></label>)}
      </div>
      {PATTERN_QUOTAS.map((name) => <label key={name} className="field"><span>{w.quota[name]}</span><input className="input mono" placeholder={w.globsHint} value={typed[name] ?? ''} onChange={(event) => setTyped({ ...typed, [name]: event.target.value })} /></label>)}
      {set.error && <Problem error={set.error} />}
    </Dialog>
  )
}
