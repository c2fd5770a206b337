// Starts a workflow: its params as a form (or as JSON), a business date, a name; then the new run is opened.
import { useState } from 'react'
import { useLocation } from 'wouter'
import { useAction } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { faultsOf, type Json, type Schema } from '../../ui/schemaFields'
import { useCommon, useWords } from '../../words'
import { ForWorkflow } from './ForWorkflow'
import { useParams } from './useParams'
import { words } from './words'

interface Props {
  /** Null: the person picks one. */
  workflow: string | null
  /** Filled in: those of an earlier run, or of a link. */
  params?: Record<string, Json> | null
  date?: string | null
  /** The run that the params come from. */
  from?: number
  onClose: () => void
}

export function StartDialog({ workflow, onClose, ...rest }: Props) {
  const w = useWords(words)
  return (
    <ForWorkflow workflow={workflow} pick={w.pick} title={w.title} onClose={onClose}>
      {(picked, schemas) => <Form key={picked} workflow={picked} schemas={schemas} onClose={onClose} {...rest} />}
    </ForWorkflow>
  )
}

type FormProps = Omit<Props, 'workflow'> & { workflow: string; schemas: Record<string, Schema> | null }

function Form({ workflow, schemas, params: given, date, from, onClose }: FormProps) {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  const [day, setDay] = useState(date ?? '')
  const [name, setName] = useState('')
  const start = useAction<{ instance_id: number }>((reply) => {
    onClose()
    go(`/instances/${reply.data.instance_id}`)
  })
  const theirs = faultsOf(start.error)
  const params = useParams(schemas, given, theirs)
  const submit = () => {
    const values = params.read()
    if (!values || start.isPending) return
    start.mutate({ path: `/workflows/${encodeURIComponent(workflow)}/start`, body: { params: values, ...(day && { business_date: day }), ...(name.trim() && { name: name.trim() }) } })
  }
  const rest = theirs.length === 0 || !theirs.every(params.shows)
  return (
    <Dialog title={w.title(workflow)} onClose={onClose} onSubmit={submit} foot={
      <>
        {params.turn}
        <span className="grow" />
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look="main" disabled={start.isPending}>{w.start}</Button>
      </>
    }>
      {from !== undefined && <p className="muted">{w.again(from)}</p>}
      {params.form}
      <div className="form-pair">
        <label className="field"><span>{w.date}</span><input className="input" type="date" value={day} onChange={(event) => setDay(event.target.value)} title={w.dateWhat} /></label>
        <label className="field"><span>{w.name} ({common.field.optional})</span><input className="input" value={name} maxLength={200} onChange={(event) => setName(event.target.value)} title={w.nameWhat} /></label>
      </div>
      {start.error && rest && <Problem error={start.error} />}
    </Dialog>
  )
}
