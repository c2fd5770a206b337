// Runs the job of a type or definition once by itself; then the run is opened.
import { useMemo, useState } from 'react'
import { useLocation } from 'wouter'
import { useAction, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { words as formWords } from '../../ui/formWords'
import { Loaded, Problem } from '../../ui/Problem'
import { draftsOf, faultsOf, fieldsOf, fieldsOfParams, valuesOf, type Draft, type Field, type FormFault, type Json } from '../../ui/schemaFields'
import { SchemaForm } from '../../ui/SchemaForm'
import { useCommon, useWords } from '../../words'
import { expressionsOf, nameOf, pathOf, type Any, type DefinitionParams, type Kind, type TaskTypeItem } from './model'
import { words } from './words'

interface Props {
  kind: Kind
  of: Any
  onClose: () => void
}

export function TryDialog({ kind, of, onClose }: Props) {
  const w = useWords(words)
  const name = nameOf(kind, of)
  const params = useOne<DefinitionParams>(kind === 'definition' ? `${pathOf(kind, name)}/params` : null, {}, { every: false })
  if (kind === 'type') {
    const type = of as TaskTypeItem
    return <Form name={name} job={of.job!} fields={fieldsOfParams(type.params_schema)} values={type.defaults} onClose={onClose} />
  }
  if (!params.data) return <Dialog title={w.tryTitle(name)} onClose={onClose}><Loaded of={params}>{() => null}</Loaded></Dialog>
  return <OfDefinition name={name} of={of} params={params.data} onClose={onClose} />
}

/** A definition of a type has no job of its own: it is that of the type. */
function OfDefinition({ name, of, params, onClose }: { name: string; of: Any; params: DefinitionParams; onClose: () => void }) {
  const w = useWords(words)
  const type = (of as { type: string | null }).type
  const found = useOne<TaskTypeItem>(type === null ? null : pathOf('type', type), {}, { every: false })
  const job = type === null ? of.job : found.data?.job
  const fields = useMemo(() => (params.json_schema ? fieldsOf(params.json_schema) : []), [params])
  if (!job) return <Dialog title={w.tryTitle(name)} onClose={onClose}><Loaded of={found}>{() => null}</Loaded></Dialog>
  return <Form name={name} job={job} fields={fields} values={params.values} onClose={onClose} />
}

function Form({ name, job, fields, values, onClose }: { name: string; job: string; fields: Field[]; values: Record<string, Json>; onClose: () => void }) {
  const w = useWords(words)
  const form = useWords(formWords)
  const common = useCommon()
  const [, go] = useLocation()
  const open = expressionsOf(values)
  const [drafts, setDrafts] = useState<Record<string, Draft>>(() => draftsOf(fields, Object.fromEntries(Object.entries(values).filter(([key]) => !open.includes(key)))))
  const [own, setOwn] = useState<FormFault[]>([])
  const run = useAction<{ instance_id: number }>((reply) => go(`/instances/${reply.data.instance_id}`))
  const theirs = faultsOf(run.error)
  const submit = () => {
    const read = valuesOf(fields, drafts, form)
    setOwn(read.faults)
    if (read.faults.length === 0 && !run.isPending) run.mutate({ path: '/submissions', body: { job, params: read.values, name } })
  }
  return (
    <Dialog title={w.tryTitle(name)} onClose={onClose} onSubmit={submit} foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={run.isPending}>{w.tryWord}</Button></>}>
      <p className="muted">{w.tryText(job)}</p>
      {open.length > 0 && <p>{w.expressions(open.join(', '))}</p>}
      <SchemaForm fields={fields} drafts={drafts} change={(next) => { setDrafts(next); setOwn([]) }} faults={[...own, ...theirs]} />
      {run.error && <Problem error={run.error} />}
    </Dialog>
  )
}
