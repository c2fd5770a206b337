// Tokens: what each is for and good for, when it was used, and which soon opens nothing more.
import { Plus, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import { useQueryState } from '../../api/address'
import { reaches, useMe } from '../../api/me'
import { useList } from '../../api/queries'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useNow, useWords } from '../../words'
import { standingOf, type TokenItem } from './access'
import { MakeToken } from './MakeToken'
import { words } from './words'

export function Tokens() {
  const w = useWords(words)
  const me = useMe()
  const [ended, setEnded] = useQueryState('ended')
  const [mine, setMine] = useQueryState('mine')
  const [making, setMaking] = useState(false)
  const found = useList<TokenItem>('/tokens', { all: ended !== '', mine: mine !== '', limit: 100 }, { every: 15_000, keep: true })
  const minute = Math.floor(useNow() / 60_000) * 60_000
  const soon = found.items?.filter((one) => standingOf(one, minute) === 'soon').length ?? 0
  const make = !me.read_only && <Button icon={Plus} look="main" onClick={() => setMaking(true)}>{w.make}</Button>
  return (
    <>
      {soon > 0 && <div className="warning" role="status"><TriangleAlert aria-hidden size={16} /><strong>{w.soonBar(soon)}</strong> {w.soonDo}</div>}
      <Filters>
        {reaches(me, 'admin') && <label className="row"><input type="checkbox" checked={mine !== ''} onChange={(event) => setMine(event.target.checked ? '1' : '')} />{w.onlyMine}</label>}
        <label className="row"><input type="checkbox" checked={ended !== ''} onChange={(event) => setEnded(event.target.checked ? '1' : '')} />{w.ended}</label>
        <span className="grow" />
        {make}
      </Filters>
      <LoadedList of={found} empty={<Empty title={w.noTokens} code="qflowd token create NAME">{w.noTokensMore}</Empty>}>
        {(items) => <Listed items={items} now={minute} />}
      </LoadedList>
      {making && <MakeToken onClose={() => setMaking(false)} />}
    </>
  )
}

function Listed({ items, now }: { items: TokenItem[]; now: number }) {
  const w = useWords(words)
  const me = useMe()
  const [revoking, setRevoking] = useState<TokenItem | null>(null)
  return (
    <>
      <Table
        label={w.tokens} rows={items} keyOf={(one) => one.id}
        columns={[
          { head: w.token, cell: (one) => <span className="access-two"><strong>{one.note ?? one.id}</strong>{one.note && <code className="muted">{one.id}</code>}</span> },
          { head: w.forWhom, width: '9rem', cell: (one) => one.principal },
          { head: w.role, width: '6rem', wide: true, cell: (one) => <span title={w.roles[one.role]}>{one.role}</span> },
          { head: w.scope, width: '18rem', wide: true, cell: (one) => <Scope of={one} /> },
          { head: w.used, width: '8rem', wide: true, cell: (one) => (one.last_used_at ? <Time at={one.last_used_at} /> : <span className="muted">{w.neverUsed}</span>) },
          { head: w.expires, width: '12rem', cell: (one) => <Expires of={one} now={now} /> },
          { head: <span className="hidden-text">{w.actions('')}</span>, width: '6rem', right: true, cell: (one) => !me.read_only && ['good', 'soon'].includes(standingOf(one, now)) && <Button look="bare" aria-label={`${w.revokeWord} ${one.note ?? one.id}`} onClick={() => setRevoking(one)}>{w.revoke}</Button> },
        ]}
      />
      {revoking && <Act title={`${w.revokeWord}: ${revoking.note ?? revoking.id}`} word={w.revokeWord} danger withReason={false} onClose={() => setRevoking(null)} action={{ method: 'DELETE', path: `/tokens/${revoking.id}` }}>{w.revokeText(revoking.note ?? revoking.id)}</Act>}
    </>
  )
}

function Scope({ of: one }: { of: TokenItem }) {
  const w = useWords(words)
  const all = [...one.workflows, ...one.jobs, ...one.networks]
  return all.length === 0 ? <span className="muted">{w.everything}</span> : <span className="access-scope">{all.map((each) => <code key={each}>{each}</code>)}</span>
}

function Expires({ of: one, now }: { of: TokenItem; now: number }) {
  const w = useWords(words)
  const standing = standingOf(one, now)
  return (
    <span className="row access-when">
      <Time at={one.revoked_at ?? one.expires_at} />
      {standing !== 'good' && <Tag tone={standing === 'soon' ? 'held' : standing === 'revoked' ? 'bad' : 'wait'}>{w.standing[standing]}</Tag>}
    </span>
  )
}
