// All tenants that are counted: what each has open now, and one of them closer.
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useQueryState } from '../../api/address'
import { useMe } from '../../api/me'
import { useAction, useList } from '../../api/queries'
import { count, megabytes } from '../../format'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters } from '../../ui/Panel'
import { Problem } from '../../ui/Problem'
import { Table } from '../../ui/Table'
import { useCommon, useWords } from '../../words'
import { type TenantItem } from './access'
import { Tenant } from './Tenant'
import { words } from './words'

export function Tenants() {
  const w = useWords(words)
  const me = useMe()
  const [open, setOpen] = useQueryState('of')
  const [adding, setAdding] = useState(false)
  const found = useList<TenantItem>('/tenants', { limit: 200 }, { every: 15_000 })
  const chosen = found.items?.find((one) => one.name === open) ?? found.items?.[0]
  return (
    <>
      <Filters><span className="grow" />{!me.read_only && <Button icon={Plus} look="main" onClick={() => setAdding(true)}>{w.addTenant}</Button>}</Filters>
      <LoadedList of={found} empty={<Empty title={w.noTenants} code={`qflowd tenants create ${me.tenant}`}>{w.noTenantsMore}</Empty>}>
        {(items) => (
          <div className="stack">
            <Table
              label={w.tenants} rows={items} keyOf={(one) => one.name} open={(one) => setOpen(one.name)} selected={(one) => one.name === chosen?.name}
              columns={[
                { head: w.tenantName, cell: (one) => <span className="access-two"><strong>{one.name}</strong>{one.title && <span className="muted">{one.title}</span>}</span> },
                { head: w.state, width: '7rem', cell: (one) => (one.state === 'ACTIVE' ? w.active : <Tag tone="held">{w.suspended}</Tag>) },
                { head: w.open, width: '8rem', right: true, cell: (one) => count(one.open_instances) },
                { head: w.running, width: '9rem', right: true, wide: true, cell: (one) => count(one.running_tasks) },
                { head: w.today, width: '10rem', right: true, wide: true, cell: (one) => count(one.submissions) },
                { head: w.kept, width: '7rem', right: true, wide: true, cell: (one) => count(one.workflows) },
                { head: w.logToday, width: '7rem', right: true, wide: true, cell: (one) => megabytes(one.log_mb) },
              ]}
            />
            {chosen && <Tenant key={chosen.name} name={chosen.name} />}
          </div>
        )}
      </LoadedList>
      {adding && <Add onClose={() => setAdding(false)} done={setOpen} />}
    </>
  )
}

function Add({ onClose, done }: { onClose: () => void; done: (name: string) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [name, setName] = useState('')
  const [title, setTitle] = useState('')
  const add = useAction<TenantItem>((reply) => { done(reply.data.name); onClose() })
  const ready = name.trim() !== '' && !add.isPending
  return (
    <Dialog
      title={w.addTenant.replace(/ ?…+$/, '')} onClose={onClose} onSubmit={() => ready && add.mutate({ path: '/tenants', body: { name: name.trim(), title: title.trim() } })}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={!ready}>{w.addWord}</Button></>}
    >
      <label className="field"><span>{w.tenantName}</span><input className="input" value={name} maxLength={64} autoFocus autoComplete="off" onChange={(event) => setName(event.target.value)} /></label>
      <label className="field"><span>{w.tenantTitle}</span><input className="input" value={title} maxLength={200} onChange={(event) => setTitle(event.target.value)} /></label>
      {add.error && <Problem error={add.error} />}
    </Dialog>
  )
}
