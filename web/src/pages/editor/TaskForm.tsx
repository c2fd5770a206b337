// The form of one task: its key, what it runs, what it waits for, its params by their schema, its settings.
import { ListPlus, Trash2 } from 'lucide-react'
import { useMemo } from 'react'
import { useList, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Waiting } from '../../ui/Problem'
import { fieldsOf, fieldsOfParams, pathOf, type Field, type Json, type Schema } from '../../ui/schemaFields'
import { useWords } from '../../words'
import { After } from './After'
import { Committed } from './Committed'
import { placeOf, tasksOf, type Body } from './document'
import { PartForm } from './PartForm'
import { TASK_ELSEWHERE, taskParts } from './parts'
import { runsOf } from './TaskList'
import { useDraft, useDraftState } from './useDraft'
import { words } from './words'

interface Props {
  task: string
  choose: (task: string) => void
  remove: () => void
  addAfter: () => void
}

export function TaskForm({ task, choose, remove, addAfter }: Props) {
  const w = useWords(words)
  const draft = useDraft()
  const { document, saved } = useDraftState()
  const tasks = tasksOf(document)
  const body = tasks[task]!
  const [kind, name] = runsOf(body)
  const params = useParams(kind, name)
  const parts = useMemo(() => (params === undefined ? null : taskParts(params, w)), [params, w])
  const keys = Object.keys(tasks)
  const faults = saved.faults.filter((fault) => placeOf(fault.where, keys).task === task).map((fault) => ({ path: fieldPath(placeOf(fault.where, keys).field), message: fault.message }))
  const put = (next: Body) => draft.edit({ kind: 'set', key: task, body: next })
  const rename = (key: string) => {
    if (!key) return
    draft.edit({ kind: 'set', key: task, body, name: key })
    if (!(key in tasks)) choose(key)
  }
  return (
    <>
      <header className="editor-side-head">
        <h2 className="grow cut">{w.task} {task}</h2>
        <Button icon={ListPlus} look="bare" title={w.addAfter} onClick={addAfter} />
        <Button icon={Trash2} look="bare" title={w.remove} onClick={remove} />
      </header>
      <label className="field"><span>{w.key}</span><Committed name={`key:${task}`} value={task} commit={rename} /></label>
      {faults.filter((fault) => fault.path === '').map((fault) => <p key={fault.message} className="form-fault">{fault.message}</p>)}
      <What task={task} body={body} put={put} faults={faults} />
      <After task={task} />
      {parts === null ? <Waiting lines={3} /> : (
        <>
          {params === null && name !== '' && <p className="muted">{w.unknown(name)}</p>}
          <PartForm name={`task:${task}`} parts={parts} body={body} elsewhere={TASK_ELSEWHERE} faults={faults} commit={put} />
        </>
      )}
    </>
  )
}

const KEYS = { job: 'job', definition: 'task', workflow: 'workflow' } as const

function What({ task, body, put, faults }: { task: string; body: Body; put: (body: Body) => void; faults: { path: string; message: string }[] }) {
  const w = useWords(words)
  const [kind, name] = runsOf(body)
  const choices = useChoices(kind)
  const change = (next: typeof kind, value: string) => {
    const { job: _job, task: _task, workflow: _workflow, ...rest } = body
    put({ [KEYS[next]]: value, ...rest })
  }
  const here = faults.filter((fault) => Object.values(KEYS).includes(fault.path as 'job'))
  return (
    <div className="field">
      <span>{w.kind}</span>
      <div className="editor-what">
        <select className="input" aria-label={w.kind} value={kind} onChange={(event) => change(event.target.value as typeof kind, '')}>
          <option value="job">{w.job}</option>
          <option value="definition">{w.definition}</option>
          <option value="workflow">{w.workflow}</option>
        </select>
        <Committed name={`what:${task}`} value={name} aria-label={w.name} choices={choices} aria-invalid={here.length > 0 || undefined} commit={(value) => change(kind, value)} />
      </div>
      {here.map((fault) => <p key={fault.message} className="form-fault">{fault.message}</p>)}
    </div>
  )
}

function useChoices(kind: 'job' | 'definition' | 'workflow'): string[] {
  const jobs = useOne<{ job: string }[]>(kind === 'job' ? '/jobs' : null, {}, { every: 30_000 })
  const definitions = useList<{ key: string }>(kind === 'definition' ? '/task-definitions' : null, { limit: 200 }, { every: 30_000 })
  const workflows = useList<{ workflow: string }>(kind === 'workflow' ? '/workflows' : null, { limit: 200 }, { every: false })
  return [...(jobs.data ?? []).map((one) => one.job), ...(definitions.items ?? []).map((one) => one.key), ...(workflows.items ?? []).map((one) => one.workflow)]
}

/** The fields of the params of what a task runs. Null: nothing is known of them; undefined: it is being asked. */
function useParams(kind: 'job' | 'definition' | 'workflow', name: string): Field[] | null | undefined {
  const path = name === '' ? null : encodeURIComponent(name)
  const job = useOne<{ params_schema: Schema | null }>(kind === 'job' && path ? `/jobs/${path}` : null, {}, { every: false })
  const definition = useOne<{ values: Record<string, Json>; json_schema: Schema | null }>(kind === 'definition' && path ? `/task-definitions/${path}/params` : null, {}, { every: false })
  const workflow = useOne<{ document: { params?: Record<string, Schema> | null } }>(kind === 'workflow' && path ? `/workflows/${path}/versions/active` : null, {}, { every: false })
  const asked = kind === 'job' ? job : kind === 'definition' ? definition : workflow
  return useMemo(() => {
    if (path === null || asked.error) return null
    if (!asked.data) return undefined
    if (kind === 'workflow') return workflow.data?.document.params ? fieldsOfParams(workflow.data.document.params) : null
    const schema = kind === 'job' ? job.data?.params_schema : definition.data?.json_schema
    if (!schema || !schema.properties) return null
    const values = definition.data?.values ?? {}
    return fieldsOf(schema).map((field) => (field.name in values && kind === 'definition' ? { ...field, required: false, fallback: values[field.name] } : field))
  }, [path, kind, asked.data, asked.error, workflow.data, job.data, definition.data])
}

/** `params.symbols[2]` as the form names it: `params.symbols.2`; of the edges there is one place. */
const fieldPath = (field: string) => (field.startsWith('params') ? `params${field === 'params' ? '' : '.'}${pathOf(field)}` : field.replace(/\[(\d+)\]/g, '.$1'))
