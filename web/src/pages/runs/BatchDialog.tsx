// One command for many runs: counts what it would meet, asks for a reason, sends it, and shows how far it is.
import { useEffect, useState } from 'react'
import { change, send, type ApiProblem } from '../../api/call'
import { client, useAction, useOne } from '../../api/queries'
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
  where?: Record<string, unknown>
  /** What is acted on, if not runs: the tasks of a group of failures. */
  title?: string
  what?: string
  onClose: () => void
  done: () => void
}

/** What a dry run tells: a batch that is not written. */
interface DryRun {
  instances: number | null
  tasks: number | null
  sample: { id: number; workflow: string | null; state: string }[] | null
  error: string | null
  digest: string | null
}

interface BatchItem {
  id: number
  state: string
  total: number | null
  left: number | null
  done: number | null
  failed: number | null
  skipped: number | null
  errors: { instance_id: number; message: string }[]
  error: string | null
}

export function BatchDialog({ action, ids, where, title, what, onClose, done }: Props) {
  const w = useWords(words)
  const common = useCommon()
  const [reason, setReason] = useState('')
  const [set, setSet] = useState<DryRun | null>(null)
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [sent, setSent] = useState<number | null>(null)
  const body = { action, ...(ids ? { ids } : { where }) }
  const ask = () => {
    setProblem(null)
    void change<DryRun>('/batches', { body: { ...body, dry_run: true } }).then((reply) => setSet(reply.data), setProblem)
  }
  useEffect(ask, [])
  const [sending, setSending] = useState(false)
  const word = w.actions[action]!
  const go = () => {
    if (!set?.instances || sending) return
    setSending(true)
    const expect = { instances: set.instances, digest: set.digest }
    // It is watched, not waited for: a batch may take minutes, and has a bar of its own.
    send<BatchItem>('/batches', { query: { wait: 0 }, body: { ...body, expect, ...(reason.trim() && { reason: reason.trim() }) } })
      .then((reply) => { setSent(reply.data.id); done() }, (error: ApiProblem) => setProblem(error))
      .finally(() => setSending(false))
  }
  if (sent !== null) return <Sent id={sent} word={word} onClose={onClose} />
  return (
    <Dialog title={title ? `${word}: ${title}` : word} onClose={onClose} onSubmit={go} foot={
      <>
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look={action === 'terminate' ? 'danger' : 'main'} disabled={!set?.instances || sending}>{set && !title ? w.doIt(word, set.instances ?? 0) : word}</Button>
      </>
    }>
      <p>{what ?? w.what[action]}</p>
      {set ? <Meets set={set} /> : !problem && <><p className="muted">{w.counting}</p><Waiting lines={3} /></>}
      {problem && <Problem error={problem} again={ask} />}
      <label className="field">
        <span>{common.field.reason} ({common.field.optional})</span>
        <input className="input" value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />
      </label>
    </Dialog>
  )
}

function Meets({ set }: { set: DryRun }) {
  const w = useWords(words)
  if (!set.instances) return <p><strong>{w.meetsNone}</strong></p>
  return (
    <div className="stack">
      <p><strong>{w.meets(set.instances, set.tasks ?? 0)}</strong></p>
      <ul className="sample" aria-label={w.among}>
        {(set.sample ?? []).slice(0, 8).map((run) => <li key={run.id} className="row"><Chip state={run.state} small /> <span className="grow cut">{run.workflow} <span className="muted">#{run.id}</span></span></li>)}
        {set.instances > 8 && <li className="muted">…</li>}
      </ul>
    </div>
  )
}

/** How far it is. It goes on if this is closed. */
function Sent({ id, word, onClose }: { id: number; word: string; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const batch = useOne<BatchItem>(`/batches/${id}`, {}, { every: 1_000, topic: `batch:${id}` })
  const cancel = useAction()
  const data = batch.data
  const over = data !== undefined && data.state !== 'NEW'
  useEffect(() => { if (over) void client.invalidateQueries() }, [over])
  const counted = (data?.done ?? 0) + (data?.failed ?? 0) + (data?.skipped ?? 0)
  return (
    <Dialog title={`${word}: ${over ? w.finished : w.doing}`} onClose={onClose} foot={
      <>
        {!over && <Button look="danger" onClick={() => cancel.mutate({ path: `/batches/${id}/cancel`, body: {} })}>{w.stop}</Button>}
        <Button look="main" onClick={onClose}>{common.do.close}</Button>
      </>
    }>
      <Progress value={data?.total ? counted / data.total : over ? 1 : null} label={word} />
      {data && <p role="status">{w.done(number(data.done ?? 0), data.total === null ? '…' : number(data.total))}{over && (data.left ?? 0) > 0 && ` · ${w.left(number(data.left))}`}{(data.failed ?? 0) > 0 && <strong className="form-fault"> · {w.refused(number(data.failed))}</strong>}</p>}
      <ul className="sample">{(data?.errors ?? []).slice(0, 8).map((one) => <li key={one.instance_id}>#{one.instance_id}: {one.message}</li>)}</ul>
      {data?.error && <p className="form-fault">{data.error}</p>}
      {batch.error && <Problem error={batch.error} />}
    </Dialog>
  )
}
