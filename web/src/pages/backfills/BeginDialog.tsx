// Begins a backfill: which dates, how many at once, with which params; first it tells what would run, then it may begin.
import { useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { change, type ApiProblem } from '../../api/call'
import { useAction } from '../../api/queries'
import { count } from '../../format'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import type { Json, Schema } from '../../ui/schemaFields'
import { useCommon, useWords } from '../../words'
import { ForWorkflow } from '../start/ForWorkflow'
import { useParams } from '../start/useParams'
import { words } from './beginWords'
import { Entries, firstEntries, type EntriesOf } from './Entries'
import { refusedAt, type BackfillField } from './refused'
import { Would, type DryBackfill } from './Would'
import './begin.css'

interface Props {
  /** Null: the person picks one. */
  workflow: string | null
  from?: string
  to?: string
  onClose: () => void
}

interface CommandAnswer {
  result: Record<string, unknown> | null
}

export function BeginDialog({ workflow, onClose, ...dates }: Props) {
  const w = useWords(words)
  return (
    <ForWorkflow workflow={workflow} pick={w.pick} title={w.title} onClose={onClose}>
      {(picked, schemas) => <Form key={picked} workflow={picked} schemas={schemas} onClose={onClose} {...dates} />}
    </ForWorkflow>
  )
}

type FormProps = Omit<Props, 'workflow'> & { workflow: string; schemas: Record<string, Schema> | null }

function Form({ workflow, schemas, from = '', to = '', onClose }: FormProps) {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  const [entries, setEntries] = useState<EntriesOf>({ ...firstEntries, from, to })
  const [looking, setLooking] = useState(false)
  const asks = useRef(0)
  const [told, setTold] = useState<DryBackfill | 'none' | null>(null)
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [own, setOwn] = useState<Partial<Record<BackfillField, string>>>({})
  const begin = useAction<CommandAnswer>((reply) => {
    onClose()
    go(`/backfills${reply.data.result ? `?open=${String(reply.data.result.backfill)}` : ''}`)
  })
  const error = begin.error ?? problem
  /** What was told is of what stood here then. */
  const changed = () => {
    asks.current += 1
    setLooking(false)
    setTold(null)
    setProblem(null)
    setOwn({})
    begin.reset()
  }
  const params = useParams(schemas, null, refusedAt(error, () => true).params, changed)
  const refused = refusedAt(error, params.shows)

  const body = () => {
    const faults = faultsOfEntries(entries, w)
    setOwn(faults)
    const values = params.read()
    return values && Object.keys(faults).length === 0 ? { workflow, ...asked(entries), params: values } : null
  }
  const look = () => {
    const sent = body()
    if (!sent || looking) return
    changed()
    setLooking(true)
    const mine = asks.current
    const ifAsked = <T,>(show: (what: T) => void) => (what: T) => {
      if (mine !== asks.current) return
      setLooking(false)
      show(what)
    }
    change<CommandAnswer>('/backfills', { body: { ...sent, dry_run: true } })
      .then(ifAsked((reply) => setTold((reply.data.result as DryBackfill | null) ?? 'none')), ifAsked(setProblem))
  }
  const dates = told && told !== 'none' ? told.dates : 0
  const submit = () => {
    if (dates === 0) return look()
    const sent = body()
    if (sent && !begin.isPending) begin.mutate({ path: '/backfills', body: sent })
  }
  return (
    <Dialog title={w.title(workflow)} onClose={onClose} onSubmit={submit} foot={
      <>
        {params.turn}
        <span className="grow" />
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look="main">{dates > 0 ? w.begin(count(dates)) : w.look}</Button>
      </>
    }>
      <div className="begin-fields">
        <Entries of={entries} change={(next) => { setEntries(next); changed() }} faults={{ ...refused.of, ...own }} />
        {(schemas === null || Object.keys(schemas).length > 0) && <><h3 className="begin-params">{w.params}</h3>{params.form}</>}
      </div>
      <div role="status" className="begin-told">
        {looking ? <p className="muted">{w.counting}</p> : told === 'none' ? <p>{w.noAnswer}</p> : told && <Would of={told} onlyMissing={entries.onlyMissing} />}
      </div>
      {error && refused.more && <Problem error={error} />}
    </Dialog>
  )
}

/** What can be said without the server. */
function faultsOfEntries(of: EntriesOf, w: typeof words.en): Partial<Record<BackfillField, string>> {
  const faults: Partial<Record<BackfillField, string>> = {}
  for (const name of ['from', 'to'] as const) if (!of[name]) faults[name] = w.needed
  for (const name of ['max_active', 'priority'] as const) if (!/^\s*-?\d*\s*$/.test(of[name])) faults[name] = w.noNumber
  return faults
}

/** As the API has it; what is left empty is left out. */
function asked(of: EntriesOf): Record<string, Json> {
  const said: Record<string, Json> = { from: of.from, to: of.to, only_missing: of.onlyMissing, order: of.order }
  for (const name of ['calendar', 'window'] as const) if (of[name].trim()) said[name] = of[name].trim()
  for (const name of ['max_active', 'priority'] as const) if (of[name].trim()) said[name] = Number(of[name])
  return said
}
