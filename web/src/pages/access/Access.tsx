// Who may do what: tokens and sessions of one's own; for administrators also people, and what tenants have and use.
import { useQueryState } from '../../api/address'
import { reaches, useMe } from '../../api/me'
import { Head } from '../../ui/Panel'
import { Tabs } from '../../ui/Tabs'
import { useWords } from '../../words'
import { People } from './People'
import { Sessions } from './Sessions'
import { Tenant } from './Tenant'
import { Tenants } from './Tenants'
import { Tokens } from './Tokens'
import { words } from './words'
import './access.css'

export default function Access() {
  const w = useWords(words)
  const me = useMe()
  const [tab, setTab] = useQueryState('tab', 'tokens')
  const system = reaches(me, 'system')
  const all = [
    { name: 'tokens', word: w.tokens, part: <Tokens /> },
    { name: 'sessions', word: w.sessions, part: <Sessions /> },
    ...(reaches(me, 'admin') ? [{ name: 'people', word: w.people, part: <People /> }, { name: 'tenants', word: system ? w.tenants : w.tenant, part: system ? <Tenants /> : <Tenant name={me.tenant} /> }] : []),
  ]
  const chosen = all.find((one) => one.name === tab) ?? all[0]!
  return (
    <>
      <Head title={w.title} name={w.title} />
      <div className="access-tabs"><Tabs label={w.tabs} chosen={chosen.name} choose={(name) => setTab(name, true)} tabs={all} /></div>
      {chosen.part}
    </>
  )
}
