// Makes or changes a task type: its job, its params line by line or as JSON, its settings.
import { Plus, X } from 'lucide-react'
import { useState } from 'react'
import { useAction, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import type { Schema } from '../../ui/schemaFields'
import { useCommon, useWords } from '../../words'
import { objectOf, pathOf, PATHS, rowsOf, schemasOf, SIMPLE, textOf, type ParamRow, type TaskTypeItem } from './model'
import { words } from './words'

export interface FormProps<T> {
  /** Null: a new one. */
  of: T | null
  etag?: string | null
  onClose: () => void
  done?: (name: string) => void
}

export function TypeForm({ of, etag, onClose, done }: FormProps<TaskTypeItem>) {
  const w = useWords(words)
  const common = useCommon()
  const jobs = useOne<{ job: string }[]>('/jobs', {}, { every: false })
  const [typed, setTyped] = useState({ type: of?.type ?? '', title: of?.title ?? '', job: of?.job ?? '', settings: textOf(of?.settings ?? {}), reason: '' })
  const [rows, setRows] = useState<ParamRow[]>(() => rowsOf(of?.params_schema ?? {}))
  const [json, setJson] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const save = useAction(() => { done?.(typed.type.trim()); onClose() })
  const trying = <T,>(read: () => T): T | null => {
    try {
      setFault(null)
      return read()
    } catch (error) {
      setFault(w.noJson((error as Error).message))
      return null
    }
  }
  const schemas = () => (json === null ? schemasOf(rows) : (objectOf(json) as Record<string, Schema>))
  const go = () => {
    const body = trying(() => ({ title: typed.title.trim() || null, job: typed.job.trim(), params_schema: schemas(), settings: objectOf(typed.settings), reason: typed.reason.trim() || null }))
    if (!body || save.isPending) return
    save.mutate(of ? { method: 'PUT', path: pathOf('type', of.type), body, etag } : { path: PATHS.type, body: { ...body, type: typed.type.trim() } })
  }
  const turn = () => {
    const now = trying(schemas)
    if (now === null) return
    if (json === null) setJson(JSON.stringify(now, null, 2))
    else { setRows(rowsOf(now)); setJson(null) }
  }
  const write = (name: keyof typeof typed) => (event: { target: { value: string } }) => setTyped({ ...typed, [name]: event.target.value })
  const ready = typed.type.trim() !== '' && typed.job.trim() !== '' && !save.isPending
  return (
    <div className="wide-dialog">
      <Dialog title={of ? w.editTitle(of.type) : w.add.type!.replace(/ ?…+$/, '')} onClose={onClose} onSubmit={go} foot={
        <>
          <Button look="bare" onClick={turn}>{json === null ? w.asJson : w.asForm}</Button>
          <span className="grow" />
          <Button onClick={onClose}>{common.do.cancel}</Button>
          <Button type="submit" look="main" disabled={!ready}>{w.save}</Button>
        </>
      }>
        <FileNote of={of} />
        <div className="stored-pair">
          {!of && <label className="field"><span>{w.name}</span><input className="input" value={typed.type} maxLength={200} autoFocus autoComplete="off" onChange={write('type')} /></label>}
          <label className="field"><span>{w.job}</span><input className="input" list="type-jobs" value={typed.job} autoComplete="off" onChange={write('job')} /></label>
          <label className="field"><span>{w.paramTitle} ({common.field.optional})</span><input className="input" value={typed.title} maxLength={200} onChange={write('title')} /></label>
          <datalist id="type-jobs">{jobs.data?.map(({ job }) => <option key={job} value={job} />)}</datalist>
        </div>
        <h3>{w.params}</h3>
        {json === null ? <Rows rows={rows} change={setRows} /> : <textarea className="input mono" rows={12} value={json} spellCheck={false} aria-label={w.asJson} onChange={(event) => setJson(event.target.value)} />}
        <label className="field"><span>{w.settings} ({common.field.optional}, JSON)</span><textarea className="input mono" rows={3} value={typed.settings} placeholder={w.settingsHint} spellCheck={false} onChange={write('settings')} /></label>
        {of && <label className="field"><span>{common.field.reason} ({common.field.optional})</span><input className="input" value={typed.reason} maxLength={500} onChange={write('reason')} /></label>}
        {fault && <p className="form-fault" role="alert">{fault}</p>}
        {save.error && <Problem error={save.error} />}
      </Dialog>
    </div>
  )
}

export function FileNote({ of }: { of: { source: string } | null }) {
  const w = useWords(words)
  return of && <p className="muted">{w.follow} {of.source === 'file' && w.fileNote}</p>
}

function Rows({ rows, change }: { rows: ParamRow[]; change: (rows: ParamRow[]) => void }) {
  const w = useWords(words)
  const set = (index: number, more: Partial<ParamRow>) => change(rows.map((row, i) => (i === index ? { ...row, ...more } : row)))
  return (
    <div className="param-rows">
      {rows.map((row, index) => (
        <div key={index} className="param-row" role="group" aria-label={`${w.param} ${row.name || index + 1}`}>
          <input className="input mono" aria-label={w.param} placeholder={w.param} value={row.name} onChange={(event) => set(index, { name: event.target.value })} />
          <select className="input" aria-label={w.kind} value={row.type} onChange={(event) => set(index, { type: event.target.value })}>
            <option value="">{w.other}</option>
            {SIMPLE.map((type) => <option key={type}>{type}</option>)}
          </select>
          <input className="input" aria-label={w.paramTitle} placeholder={w.paramTitle} value={row.title} onChange={(event) => set(index, { title: event.target.value })} />
          <input className="input mono" aria-label={w.fallback} placeholder={w.fallback} value={row.fallback} onChange={(event) => set(index, { fallback: event.target.value })} />
          <Button icon={X} look="bare" title={w.dropParam(row.name)} onClick={() => change(rows.filter((_, i) => i !== index))} />
        </div>
      ))}
      <Button icon={Plus} look="bare" onClick={() => change([...rows, { name: '', type: 'string', title: '', fallback: '', more: {} }])}>{w.addParam}</Button>
    </div>
  )
}
