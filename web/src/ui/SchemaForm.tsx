// A form made from the schema of params. What it has no input for is a JSON field, so nothing is out of reach.
import { Plus, X } from 'lucide-react'
import { useId, type ReactNode } from 'react'
import { useWords } from '../words'
import { Button } from './Button'
import { words } from './formWords'
import { draftOf, faultsAt, isExpression, isMap, type Draft, type Field, type FormFault, type Json } from './schemaFields'
import './schemaForm.css'

interface Props {
  fields: Field[]
  drafts: Record<string, Draft>
  change: (drafts: Record<string, Draft>) => void
  faults: FormFault[]
  /** A field can be turned into an expression, and back. */
  expressions?: boolean
  /** All of them are optional, so none says so. */
  unmarked?: boolean
}

export function SchemaForm({ fields, drafts, change, faults, expressions, unmarked }: Props) {
  const w = useWords(words)
  if (fields.length === 0) return <p className="muted">{w.noParams}</p>
  return (
    <div className="form">
      {fields.map((field) => (
        <One key={field.name} field={field} path={field.name} draft={drafts[field.name] ?? ''} faults={faults} expressions={expressions} unmarked={unmarked} change={(draft) => change({ ...drafts, [field.name]: draft })} />
      ))}
    </div>
  )
}

interface OneProps {
  field: Field
  path: string
  draft: Draft
  faults: FormFault[]
  change: (draft: Draft) => void
  /** Of a row of a list: has no title of its own. */
  bare?: boolean
  expressions?: boolean
  unmarked?: boolean
}

function One(props: OneProps) {
  const { field, path, draft, faults, change, bare, expressions, unmarked } = props
  const w = useWords(words)
  const id = useId()
  const { here, inside } = faultsAt(faults, path)
  const about = `${id}-about`
  const given = { id, 'aria-describedby': about, 'aria-invalid': here.length > 0 || undefined, 'aria-required': field.required || undefined }
  const shared = { field, draft, change, given, path, faults }
  const isSet = field.kind === 'group' || field.kind === 'rows'
  const title = (
    <>
      {field.title}
      {!field.required && !unmarked && <span className="muted"> {w.optional}</span>}
      {isExpression(draft) && <span className="form-expression">{w.expression}</span>}
    </>
  )
  return (
    <div className="form-one" data-path={path} data-bad={here.length > 0 || inside || undefined}>
      {!bare && (
        <span className="form-head">
          {isSet ? <span className="form-title" id={id}>{title}</span> : <label className="form-title" htmlFor={id}>{title}</label>}
          {expressions && <Turn field={field} draft={draft} change={change} />}
        </span>
      )}
      {isExpression(draft) ? <Text {...shared} /> : <Input {...shared} />}
      <div id={about} className="form-about">
        {here.map((fault, i) => <span key={i} className="form-fault" role="alert">{fault.message}</span>)}
        {!bare && field.description && <span>{field.description}</span>}
        {!bare && !unmarked && <Hint field={field} />}
      </div>
    </div>
  )
}

/** Whatever its input is, a field may hold `{{ … }}` instead. */
function Turn({ field, draft, change }: { field: Field; draft: Draft; change: (draft: Draft) => void }) {
  const w = useWords(words)
  const is = isExpression(draft)
  return <button type="button" className="form-turn" aria-pressed={is} title={w.turn(field.title)} aria-label={w.turn(field.title)} onClick={() => change(is ? draftOf(field, undefined) : '{{ params. }}')}>{'{{ }}'}</button>
}

interface InputProps {
  field: Field
  path: string
  draft: Draft
  faults: FormFault[]
  change: (draft: Draft) => void
  given: Record<string, unknown>
}

function Input(props: InputProps): ReactNode {
  switch (props.field.kind) {
    case 'group': return <Group {...props} />
    case 'rows': return <Rows {...props} />
    case 'boolean': return <Choice {...props} options={[['true', 'yes'], ['false', 'no']]} />
    case 'choice': return <Choice {...props} options={props.field.options.map((option, i) => [String(i), option.label])} />
    default: return <Text {...props} />
  }
}

const TYPES: Partial<Record<Field['kind'], string>> = { date: 'date', time: 'time' }

function Text({ field, draft, change, given }: InputProps) {
  const text = typeof draft === 'string' ? draft : ''
  const write = (event: { target: { value: string } }) => change(event.target.value)
  const hint = field.kind === 'datetime' ? '2026-11-28T16:30:00+08:00' : field.fallback !== undefined && field.fallback !== null ? shown(field.fallback) : field.example !== undefined ? shown(field.example) : ''
  if (field.kind === 'json' || field.kind === 'long') {
    return <textarea className="input mono" rows={Math.min(12, Math.max(2, text.split('\n').length))} value={text} placeholder={hint || (field.kind === 'json' ? '{ }' : '')} spellCheck={false} onChange={write} {...given} />
  }
  const number = field.kind === 'number' || field.kind === 'integer'
  return <input className="input" type={isExpression(text) ? 'text' : (TYPES[field.kind] ?? 'text')} inputMode={number ? 'decimal' : undefined} value={text} placeholder={hint} autoComplete="off" onChange={write} {...given} />
}

function Choice({ field, draft, change, given, options }: InputProps & { options: (readonly [string, string])[] }) {
  const w = useWords(words)
  const text = typeof draft === 'string' ? draft : ''
  const wordOf = (value: string, word: string) => (field.kind === 'boolean' ? (value === 'true' ? w.yes : w.no) : word)
  return (
    <select className="input" value={text} onChange={(event) => change(event.target.value)} {...given}>
      {(!field.required || text === '') && <option value="">{field.fallback !== undefined ? w.unset : w.none}</option>}
      {options.map(([value, word]) => <option key={value} value={value}>{wordOf(value, word)}</option>)}
    </select>
  )
}

function Group({ field, draft, change, path, faults, given }: InputProps) {
  const parts = isMap(draft) ? (draft as unknown as Record<string, Draft>) : {}
  return (
    <div className="form-group" role="group" aria-labelledby={String(given.id)}>
      {field.fields.map((part) => (
        <One key={part.name} field={part} path={`${path}.${part.name}`} draft={parts[part.name] ?? ''} faults={faults} change={(one) => change({ ...parts, [part.name]: one })} />
      ))}
    </div>
  )
}

function Rows({ field, draft, change, path, faults, given }: InputProps) {
  const w = useWords(words)
  const rows = Array.isArray(draft) ? draft : []
  const of = field.of!
  return (
    <div className="form-rows" role="group" aria-labelledby={String(given.id)}>
      {rows.map((row, index) => (
        <div key={index} className="form-row">
          <One bare={of.kind !== 'group'} field={{ ...of, title: of.kind === 'group' ? `${index + 1}` : of.title }} path={`${path}.${index}`} draft={row} faults={faults} change={(one) => change(rows.map((old, i) => (i === index ? one : old)))} />
          <Button icon={X} look="bare" title={w.dropRow(index + 1)} onClick={() => change(rows.filter((_, i) => i !== index))} />
        </div>
      ))}
      <Button icon={Plus} look="bare" onClick={() => change([...rows, draftOf(of, undefined)])}>{w.addRow}</Button>
    </div>
  )
}

function Hint({ field }: { field: Field }) {
  const w = useWords(words)
  if (field.fallback !== undefined && field.fallback !== null && field.fallback !== '') return <span className="muted">{w.default(labelled(field, field.fallback))}</span>
  if (field.example !== undefined) return <span className="muted">{w.example(shown(field.example))}</span>
  return null
}

const shown = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value))
const labelled = (field: Field, value: Json) => field.options.find((option) => JSON.stringify(option.value) === JSON.stringify(value))?.label ?? shown(value)
