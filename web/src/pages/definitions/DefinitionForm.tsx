// Makes or changes a task definition: the type or job that it is of, and the values of its params.
import { useMemo, useState } from 'react'
import { useAction, useList, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { words as formWords } from '../../ui/formWords'
import { Problem } from '../../ui/Problem'
import { draftsOf, faultsOf, fieldsOf, fieldsOfParams, valuesOf, type Draft, type Field, type FormFault, type Json, type Schema } from '../../ui/schemaFields'
import { SchemaForm } from '../../ui/SchemaForm'
import { useCommon, useWords } from '../../words'
import { objectOf, pathOf, PATHS, textOf, type TaskDefinitionItem, type TaskTypeItem } from './model'
import { FileNote, type FormProps } from './TypeForm'
import { words } from './words'

interface JobItem {
  job: string
  params_schema: Schema | null
}

export function DefinitionForm({ of, etag, onClose, done }: FormProps<TaskDefinitionItem>) {
  const w = useWords(words)
  const form = useWords(formWords)
  const common = useCommon()
  const types = useList<TaskTypeItem>(PATHS.type, { limit: 500 }, { every: false })
  const jobs = useOne<JobItem[]>('/jobs', {}, { every: false })
  const [typed, setTyped] = useState({ key: of?.key ?? '', title: of?.title ?? '', settings: textOf(of?.settings ?? {}), reason: '' })
  const [base, setBase] = useState(of ? (of.type !== null ? `type:${of.type}` : `job:${of.job}`) : '')
  const [values, setValues] = useState<Record<string, Json>>(of?.params ?? {})
  const [changed, setChanged] = useState<Record<string, Draft>>({})
  const [json, setJson] = useState<string | null>(null)
  const [faults, setFaults] = useState<FormFault[]>([])
  const [kind, name] = [base.slice(0, base.indexOf(':')), base.slice(base.indexOf(':') + 1)]
  const fields = useMemo(() => optional(fieldsFor(kind, name, types.items, jobs.data)), [kind, name, types.items, jobs.data])
  const drafts = { ...draftsOf(fields, values), ...changed }
  const save = useAction(() => { done?.(typed.key.trim()); onClose() })
  const theirs = faultsOf(save.error)

  const read = (): Record<string, Json> | null => {
    try {
      if (json !== null) return objectOf(json)
      const found = valuesOf(fields, drafts, form)
      setFaults(found.faults)
      // What the schema does not name is kept as it is: the server says whether it may stay.
      const rest = Object.fromEntries(Object.entries(values).filter(([key]) => !fields.some((field) => field.name === key)))
      return found.faults.length > 0 ? null : { ...rest, ...found.values }
    } catch (error) {
      setFaults([{ path: '', message: w.noJson((error as Error).message) }])
      return null
    }
  }
  const go = () => {
    const params = read()
    if (params === null || save.isPending) return
    try {
      const body = { title: typed.title.trim() || null, [kind]: name, params, settings: objectOf(typed.settings), reason: typed.reason.trim() || null }
      save.mutate(of ? { method: 'PUT', path: pathOf('definition', of.key), body, etag } : { path: PATHS.definition, body: { ...body, key: typed.key.trim() } })
    } catch (error) {
      setFaults([{ path: '', message: w.noJson((error as Error).message) }])
    }
  }
  const turn = () => {
    const now = read()
    if (now === null) return
    setValues(now)
    setChanged({})
    setJson(json === null ? JSON.stringify(now, null, 2) : null)
  }
  const write = (field: keyof typeof typed) => (event: { target: { value: string } }) => setTyped({ ...typed, [field]: event.target.value })
  const ready = typed.key.trim() !== '' && base !== '' && !save.isPending
  return (
    <div className="wide-dialog">
      <Dialog title={of ? w.editTitle(of.key) : w.add.definition!.replace(/ ?…+$/, '')} onClose={onClose} onSubmit={go} foot={
        <>
          {base !== '' && <Button look="bare" onClick={turn}>{json === null ? w.asJson : w.asForm}</Button>}
          <span className="grow" />
          <Button onClick={onClose}>{common.do.cancel}</Button>
          <Button type="submit" look="main" disabled={!ready}>{w.save}</Button>
        </>
      }>
        <FileNote of={of} />
        <div className="stored-pair">
          {!of && <label className="field"><span>{w.name}</span><input className="input" value={typed.key} maxLength={200} autoFocus autoComplete="off" onChange={write('key')} /></label>}
          <label className="field"><span>{w.typeOrJob}</span>
            <select className="input" value={base} onChange={(event) => setBase(event.target.value)}>
              {base === '' && <option value="">{w.pick}</option>}
              <optgroup label={w.type}>{names(types.items?.map((one) => one.type), kind === 'type' ? name : '').map((each) => <option key={each} value={`type:${each}`}>{each}</option>)}</optgroup>
              <optgroup label={w.job}>{names(jobs.data?.map((one) => one.job), kind === 'job' ? name : '').map((each) => <option key={each} value={`job:${each}`}>{each}</option>)}</optgroup>
            </select>
          </label>
          <label className="field"><span>{w.paramTitle} ({common.field.optional})</span><input className="input" value={typed.title} maxLength={200} onChange={write('title')} /></label>
        </div>
        {base !== '' && <h3>{w.params}</h3>}
        {base !== '' && (json === null
          ? <SchemaForm fields={fields} drafts={drafts} change={(next) => { setChanged(next); setFaults([]) }} faults={[...faults, ...theirs]} />
          : <textarea className="input mono" rows={10} value={json} spellCheck={false} aria-label={w.asJson} onChange={(event) => setJson(event.target.value)} />)}
        <label className="field"><span>{w.settings} ({common.field.optional}, JSON)</span><textarea className="input mono" rows={3} value={typed.settings} placeholder={w.settingsHint} spellCheck={false} onChange={write('settings')} /></label>
        {of && <label className="field"><span>{common.field.reason} ({common.field.optional})</span><input className="input" value={typed.reason} maxLength={500} onChange={write('reason')} /></label>}
        {faults.filter((fault) => fault.path === '').map((fault) => <p key={fault.message} className="form-fault" role="alert">{fault.message}</p>)}
        {save.error && <Problem error={save.error} />}
      </Dialog>
    </div>
  )
}

const names = (all: string[] | undefined, chosen: string) => [...new Set([...(chosen ? [chosen] : []), ...(all ?? [])])]

function fieldsFor(kind: string, name: string, types: TaskTypeItem[] | undefined, jobs: JobItem[] | undefined): Field[] {
  if (kind === 'type') return fieldsOfParams(types?.find((one) => one.type === name)?.params_schema)
  const schema = jobs?.find((one) => one.job === name)?.params_schema
  return schema ? fieldsOf(schema) : []
}

/** What is not given here, the node of a workflow may give. */
const optional = (fields: Field[]): Field[] => fields.map((field) => ({ ...field, required: false }))
