// People and programs of the tenant, what they may do, and how they sign in.
import { Ellipsis, UserPlus } from 'lucide-react'
import { useState } from 'react'
import { useMay, useMe } from '../../api/me'
import { useList } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Code, Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Menu } from '../../ui/Menu'
import { Filters } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { type PrincipalItem } from './access'
import { AddPerson, PersonDialog, type PersonVerb } from './personDialogs'
import { words } from './words'

export function People() {
  const w = useWords(words)
  const may = useMay('admin')
  const me = useMe()
  const [adding, setAdding] = useState(false)
  const [doing, setDoing] = useState<[PersonVerb, PrincipalItem] | null>(null)
  const found = useList<PrincipalItem>('/principals', { limit: 100 }, { every: 15_000 })
  return (
    <>
      <Filters><span className="grow" />{may && <Button icon={UserPlus} look="main" onClick={() => setAdding(true)}>{w.add}</Button>}</Filters>
      <LoadedList of={found} empty={<Empty title={w.onlyYou} />}>
        {(items) => (
          <Table
            label={w.people} rows={items} keyOf={(one) => one.id}
            columns={[
              { head: w.person, cell: (one) => <span className="row"><strong>{one.name}</strong>{one.disabled_at && <Tag tone="held">{w.disabled}</Tag>}</span> },
              { head: w.kind, width: '8rem', wide: true, cell: (one) => w.kinds[one.kind] ?? one.kind },
              { head: w.personRole, width: '18rem', cell: (one) => <span className="access-two"><strong>{one.role}</strong><span className="muted cut">{w.roles[one.role]}</span></span> },
              { head: w.signIn, width: '8rem', wide: true, cell: (one) => (one.kind === 'service' ? w.byToken : one.has_password ? w.byPassword : w.byLink) },
              { head: w.since, width: '8rem', right: true, wide: true, cell: (one) => <Time at={one.created_at} /> },
              { head: <span className="hidden-text">{w.actions('')}</span>, width: '3rem', cell: (one) => may && <Verbs of={one} self={one.name === me.principal} choose={(verb) => setDoing([verb, one])} /> },
            ]}
          />
        )}
      </LoadedList>
      {found.items?.length === 1 && <div className="access-hint"><Code text="qflowd login-link NAME" /></div>}
      {adding && <AddPerson onClose={() => setAdding(false)} />}
      {doing && <PersonDialog key={doing[1].id} verb={doing[0]} of={doing[1]} onClose={() => setDoing(null)} />}
    </>
  )
}

function Verbs({ of: one, self, choose }: { of: PrincipalItem; self: boolean; choose: (verb: PersonVerb) => void }) {
  const w = useWords(words)
  return (
    <Menu
      title={w.actions(one.name)} icon={Ellipsis} look="bare"
      items={[
        ...(one.kind === 'human' && !one.disabled_at ? [{ word: w.login, act: () => choose('login') }] : []),
        { word: w.change, disabled: self, act: () => choose('change') },
        one.disabled_at ? { word: w.enable, act: () => choose('enable') } : { word: w.disable, disabled: self, act: () => choose('disable') },
        { word: w.remove, disabled: self, danger: true, act: () => choose('remove') },
      ]}
    />
  )
}
