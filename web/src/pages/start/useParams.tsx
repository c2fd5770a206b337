// The params of a workflow as a form or as JSON: drawn, turned from one into the other, and read.
import { useMemo, useState, type ReactNode } from 'react'
import { Button } from '../../ui/Button'
import { words as formWords } from '../../ui/formWords'
import { draftsOf, fieldsOfParams, isMap, valuesOf, type Draft, type FormFault, type Json, type Schema } from '../../ui/schemaFields'
import { SchemaForm } from '../../ui/SchemaForm'
import { useWords } from '../../words'
import { words } from './words'

/** What is needed of the version that would run. Without `params` in it, anything may be given. */
export interface Active {
  document: { params?: Record<string, Schema> | null }
}

interface ParamsForm {
  form: ReactNode
  /** Turns the form into JSON and back; null where there is nothing to turn. */
  turn: ReactNode
  /** What was typed; null if it cannot be read, which the form then says. */
  read: () => Record<string, Json> | null
  /** Whether a fault of the server is shown at its field. */
  shows: (fault: FormFault) => boolean
}

/** `given`: what the form begins with; `theirs`: faults that the server has found in params. */
export function useParams(schemas: Record<string, Schema> | null, given: Record<string, Json> | null | undefined, theirs: FormFault[], changed?: () => void): ParamsForm {
  const w = useWords(words)
  const form = useWords(formWords)
  const fields = useMemo(() => fieldsOfParams(schemas), [schemas])
  const [drafts, setDrafts] = useState<Record<string, Draft>>(() => draftsOf(fields, given))
  const [json, setJson] = useState<string | null>(schemas === null ? JSON.stringify(given ?? {}, null, 2) : null)
  const [own, setOwn] = useState<FormFault[]>([])
  const faults = [...own, ...theirs]
  const names = new Set(fields.map((field) => field.name))

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
  const write = (next: Record<string, Draft>) => {
    setDrafts(next)
    setOwn([])
    changed?.()
  }
  return {
    read,
    shows: (fault) => json === null && names.has(fault.path.split('.')[0] ?? ''),
    turn: schemas !== null && fields.length > 0 ? <Button look="bare" onClick={turn}>{json === null ? w.asJson : w.asForm}</Button> : null,
    form: json === null ? (
      <>
        <SchemaForm fields={fields} drafts={drafts} change={write} faults={faults} />
        {faults.length > 0 && <p className="form-fault">{w.faults(faults.length)}</p>}
      </>
    ) : (
      <>
        <textarea className="input mono" rows={12} value={json} spellCheck={false} aria-label="JSON" onChange={(event) => { setJson(event.target.value); changed?.() }} />
        {own.map((fault) => <p key={fault.message} className="form-fault" role="alert">{fault.message}</p>)}
      </>
    ),
  }
}
