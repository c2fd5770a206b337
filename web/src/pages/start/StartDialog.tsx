// Starts a workflow: its params as a form (or as JSON), a business date, a name; then the new run is opened.
import { useMemo, useState } from 'react'
import { useLocation } from 'wouter'
import { useAction, useList, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { words as formWords } from '../../ui/formWords'
import { Loaded, Problem } from '../../ui/Problem'
import { draftsOf, faultsOf, fieldsOfParams, isMap, valuesOf, type Draft, type FormFault, type Json, type Schema } from '../../ui/schemaFields'
import { SchemaForm } from '../../ui/SchemaForm'
import { useCommon, useWords } from '../../words'
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

/** What is needed of the version that would run. Without `params` in it, anything may be given. */
interface Active {
  document: { params?: Record<string, Schema> | null }
}

export function StartDialog({ workflow, onClose, ...rest }: Props) {
  const w = useWords(words)
  const [picked, setPicked] = useState(workflow)
  const active = useOne<Active>(picked === null ? null : `/workflows/${encodeURIComponent(picked)}/versions/active`, {}, { every: false })
  if (picked === null) return <Pick pick={setPicked} onClose={onClose} />
  if (!active.data) return <Dialog title={w.title(picked)} onClose={onClose}><Loaded of={active}>{() => null}</Loaded></Dialog>
  return <Form key={picked} workflow={picked} schemas={active.data.document.params ?? null} onClose={onClose} {...rest} />
}

function Pick({ pick, onClose }: { pick: (workflow: string) => void; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const list = useList<{ workflow: string; title: string | null }>('/workflows', { limit: 200 }, { every: false })
  const [chosen, setChosen] = useState('')
  const names = (list.items ?? []).map((one) => one.workflow)
  return (
    <Dialog title={w.pick} onClose={onClose} onSubmit={() => chosen && pick(chosen)} foot={
      <>
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look="main" disabled={!names.includes(chosen)}>{common.do.open}</Button>
      </>
    }>
      <label className="field">
        <span>{w.workflow}</span>
        <input className="input" list="start-workflows" value={chosen} autoFocus autoComplete="off" onChange={(event) => setChosen(event.target.value)} />
        <datalist id="start-workflows">{names.map((name) => <option key={name} value={name} />)}</datalist>
      </label>
      {list.error && <Problem error={list.error} again={list.again} />}
      {list.items?.length === 0 && <p className="muted">{w.none}</p>}
    </Dialog>
  )
}

type FormProps = Omit<Props, 'workflow'> & { workflow: string; schemas: Record<string, Schema> | null }

function Form({ workflow, schemas, params, date, from, onClose }: FormProps) {
  const w = useWords(words)
  const form = useWords(formWords)
  const common = useCommon()
  const [, go] = useLocation()
  const fields = useMemo(() => fieldsOfParams(schemas), [schemas])
  const [drafts, setDrafts] = useState<Record<string, Draft>>(() => draftsOf(fields, params))
  const [json, setJson] = useState<string | null>(schemas === null ? JSON.stringify(params ?? {}, null, 2) : null)
  const [day, setDay] = useState(date ?? '')
  const [name, setName] = useState('')
  const [own, setOwn] = useState<FormFault[]>([])
  const start = useAction<{ instance_id: number }>((reply) => {
    onClose()
    go(`/instances/${reply.data.instance_id}`)
  })
  const theirs = faultsOf(start.error)
  const faults = [...own, ...theirs]

  const read = (): Record<string, Json> | null => {
    if (json === null) {
      const { values, faults: found } = valuesOf(fields, drafts, form)
      setOwn(found)
      return found.length > 0 ? null : values
    }
    try {
      const value = JSON.parse(json.trim() || '{}') as Json
      setOwn([])
      if (isMap(value)) return value
      throw new Error('{…}')
    } catch (error) {
      setOwn([{ path: '', message: w.noJson((error as Error).message) }])
      return null
    }
  }
  const submit = () => {
    const values = read()
    if (!values || start.isPending) return
    start.mutate({ path: `/workflows/${encodeURIComponent(workflow)}/start`, body: { params: values, ...(day && { business_date: day }), ...(name.trim() && { name: name.trim() }) } })
  }
  const turn = () => {
    if (json === null) setJson(JSON.stringify(valuesOf(fields, drafts, form).values, null, 2))
    else {
      const values = read()
      if (!values) return
      setDrafts(draftsOf(fields, values))
      setJson(null)
    }
    setOwn([])
  }
  const shown = new Set(fields.map((field) => field.name))
  const rest = theirs.length === 0 || theirs.some((fault) => json !== null || !shown.has(fault.path.split('.')[0] ?? ''))
  return (
    <Dialog title={w.title(workflow)} onClose={onClose} onSubmit={submit} foot={
      <>
        {schemas !== null && fields.length > 0 && <Button look="bare" onClick={turn}>{json === null ? w.asJson : w.asForm}</Button>}
        <span className="grow" />
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look="main" disabled={start.isPending}>{w.start}</Button>
      </>
    }>
      {from !== undefined && <p className="muted">{w.again(from)}</p>}
      {json === null ? (
        <SchemaForm fields={fields} drafts={drafts} change={(next) => { setDrafts(next); setOwn([]) }} faults={faults} />
      ) : (
        <textarea className="input mono" rows={12} value={json} spellCheck={false} aria-label="JSON" onChange={(event) => setJson(event.target.value)} />
      )}
      {json !== null && own.map((fault) => <p key={fault.message} className="form-fault" role="alert">{fault.message}</p>)}
      {json === null && faults.length > 0 && <p className="form-fault">{w.faults(faults.length)}</p>}
      <div className="form-pair">
        <label className="field"><span>{w.date}</span><input className="input" type="date" value={day} onChange={(event) => setDay(event.target.value)} title={w.dateWhat} /></label>
        <label className="field"><span>{w.name} ({common.field.optional})</span><input className="input" value={name} maxLength={200} onChange={(event) => setName(event.target.value)} title={w.nameWhat} /></label>
      </div>
      {start.error && rest && <Problem error={start.error} />}
    </Dialog>
  )
}
