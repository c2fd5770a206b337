// Who is signed in where, and ending it: one, or all but this one.
import { useState } from 'react'
import { useMe } from '../../api/me'
import { useList } from '../../api/queries'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { agentOf, type SessionItem } from './access'
import { words } from './words'

export function Sessions() {
  const w = useWords(words)
  const me = useMe()
  const [ending, setEnding] = useState<SessionItem | 'others' | null>(null)
  const found = useList<SessionItem>('/sessions', { limit: 100 }, { every: 15_000 })
  const others = found.items?.some((one) => one.principal === me.principal && !one.current)
  return (
    <>
      <Filters><span className="grow" />{others && !me.read_only && <Button onClick={() => setEnding('others')}>{w.endOthers}</Button>}</Filters>
      <LoadedList of={found} empty={<Empty title={w.noSessions} />}>
        {(items) => (
          <Table
            label={w.sessions} rows={items} keyOf={(one) => one.id}
            columns={[
              { head: w.person, cell: (one) => <span className="row"><strong>{one.principal}</strong>{one.current && <Tag tone="good">{w.thisOne}</Tag>}</span> },
              { head: w.where, width: '11rem', cell: (one) => <code>{one.address ?? '–'}</code> },
              { head: w.agent, width: '12rem', wide: true, cell: (one) => <span title={one.agent ?? undefined}>{agentOf(one.agent) ?? <span className="muted">{w.unknown}</span>}</span> },
              { head: w.begun, width: '8rem', wide: true, cell: (one) => <Time at={one.created_at} /> },
              { head: w.seen, width: '8rem', cell: (one) => <Time at={one.seen_at} /> },
              { head: <span className="hidden-text">{w.actions('')}</span>, width: '6rem', right: true, cell: (one) => !one.current && !me.read_only && <Button look="bare" aria-label={`${w.endSession} ${one.principal} #${one.id}`} onClick={() => setEnding(one)}>{w.endSession}</Button> },
            ]}
          />
        )}
      </LoadedList>
      {ending === 'others' && <Act title={w.endOthersWord} word={w.endOthersWord} danger withReason={false} onClose={() => setEnding(null)} action={{ method: 'DELETE', path: '/sessions' }}>{w.endOthersText}</Act>}
      {ending !== null && ending !== 'others' && <Act title={`${w.endSession}: ${ending.principal}`} word={w.endSession} danger withReason={false} onClose={() => setEnding(null)} action={{ method: 'DELETE', path: `/sessions/${ending.id}` }}>{w.endText(ending.principal)}</Act>}
    </>
  )
}
