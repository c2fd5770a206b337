// One command for many runs: counts what it would meet, asks for a reason, sends it, and shows how far it is.
import { useEffect, useState } from 'react'
import { call, type ApiProblem } from '../../api/call'
import { useAction, useOne } from '../../api/queries'
import type { InstanceItem } from '../../api/types'
import { count as number } from '../../format'
import { Progress } from '../../ui/Bar'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { Problem, Waiting } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { words } from './words'

export type BatchAction = 'retry' | 'pause' | 'resume' | 'terminate'

interface Props {
  action: BatchAction
  ids?: number[]
  where?: Record<string, string>
  onClose: () => void
  done: () => void
}

interface DryRun {
  instances: number
  tasks: number
  sample: (InstanceItem | number)[]
  digest: string
}

interface Batch {
  id: number
  state: string
  total: number | null
  done: number | null
  failed: number | null
  skipped: number | null
  errors?: { instance_id?: number; error: string }[] | null
}

export function BatchDialog({ action, ids, where, onClose, done }: Props) {
  const w = useWords(words)
  const common = useCommon()
  const [reason, setReason] = useState('')
  const [set, setSet] = useState<DryRun | null>(null)
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [sent, setSent] = useState<number | null>(null)
  const body = { action, ...(ids ? { ids } : { where }) }
  const ask = () => {
    setProblem(null)
    void call<DryRun>('/batches', { method: 'POST', body: { ...body, dry_run: true } }).then((reply) => setSet(reply.data), setProblem)
  }
  useEffect(ask, [])
  const send = useAction<Batch>((reply) => {
    setSent(reply.data.id)
    done()
  })
  const word = w.actions[action]!
  const go = () => {
    if (!set || set.instances === 0 || send.isPending) return
    send.mutate({ path: '/batches', query: { wait: 0 }, body: { ...body, expect: { instances: set.instances, digest: set.digest }, ...(reason.trim() && { reason: reason.trim() }) } })
  }
  if (sent !== null) return <Sent id={sent} word={word} onClose={onClose} />
  return (
    <Dialog title={word} onClose={onClose} onSubmit={go} foot={
      <>
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look={action === 'terminate' ? 'danger' : 'main'} disabled={!set || set.instances === 0 || send.isPending}>{set ? w.doIt(word, number(set.instances)) : word}</Button>
      </>
    }>
      <p>{w.what[action]}</p>
      {set ? <Meets set={set} /> : !problem && <><p className="muted">{w.counting}</p><Waiting lines={3} /></>}
      {problem && <Problem error={problem} again={ask} />}
      <label className="field">
        <span>{common.field.reason} ({common.field.optional})</span>
        <input className="input" value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />
      </label>
      {send.error && <Problem error={send.error} again={send.error.code === 40907 ? () => { send.reset(); ask() } : undefined} />}
    </Dialog>
  )
}

function Meets({ set }: { set: DryRun }) {
  const w = useWords(words)
  if (set.instances === 0) return <p><strong>{w.meetsNone}</strong></p>
  return (
    <div className="stack">
      <p><strong>{w.meets(number(set.instances), number(set.tasks))}</strong></p>
      <ul className="sample" aria-label={w.among}>
        {set.sample.slice(0, 8).map((run) => (typeof run === 'number' ? <li key={run}>#{run}</li> : (
          <li key={run.id} className="row"><Chip state={run.state} small /> <span className="grow cut">{run.workflow ?? run.job} <span className="muted">#{run.id} {run.business_date}</span></span></li>
        )))}
      </ul>
    </div>
  )
}

/** How far it is. It goes on if this is closed. */
function Sent({ id, word, onClose }: { id: number; word: string; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const batch = useOne<Batch>(`/batches/${id}`, {}, { every: 1_000 })
  const cancel = useAction()
  const data = batch.data
  const over = data !== undefined && ['DONE', 'REJECTED', 'CANCELLED', 'FAILED'].includes(data.state)
  const counted = (data?.done ?? 0) + (data?.failed ?? 0) + (data?.skipped ?? 0)
  return (
    <Dialog title={`${word}: ${over ? w.finished : w.doing}`} onClose={onClose} foot={
      <>
        {!over && <Button look="danger" onClick={() => cancel.mutate({ path: `/batches/${id}/cancel`, body: {} })}>{w.stop}</Button>}
        <Button look="main" onClick={onClose}>{common.do.close}</Button>
      </>
    }>
      <Progress value={data?.total ? counted / data.total : over ? 1 : null} label={word} />
      {data && <p role="status">{w.done(number(data.done ?? 0), number(data.total ?? 0))}{(data.failed ?? 0) > 0 && <strong className="form-fault"> · {w.refused(number(data.failed))}</strong>}</p>}
      <ul className="sample">{(data?.errors ?? []).slice(0, 8).map((one, i) => <li key={i}>{one.error}</li>)}</ul>
      {batch.error && <Problem error={batch.error} />}
    </Dialog>
  )
}
