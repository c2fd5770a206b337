// A form in parts. What is typed is kept at once and becomes an edit after a moment, or when the form is left.
import { useEffect, useRef } from 'react'
import { words as formWords } from '../../ui/formWords'
import { draftOf, type FormFault, type Json } from '../../ui/schemaFields'
import { SchemaForm } from '../../ui/SchemaForm'
import { useWords } from '../../words'
import { same, type Body } from './document'
import { bodyFrom, isUsed, REST, typedFrom, type Part, type Typed } from './formModel'
import { merged } from './merge'
import { useTyped } from './useDraft'
import { words } from './words'

const PAUSE_MS = 700

interface Props {
  /** Under which name it is kept. */
  name: string
  parts: Part[]
  body: Body
  elsewhere: readonly string[]
  /** Of the server, by paths in the body. */
  faults: FormFault[]
  commit: (body: Body) => void
}

interface Begun {
  typed: Typed
  /** What was there when typing began. */
  base: Body
}

export function PartForm({ name, parts, body, elsewhere, faults, commit }: Props) {
  const w = useWords(words)
  const form = useWords(formWords)
  const [begun, keep] = useTyped<Begun>(name)
  const typed = begun?.typed ?? typedFrom(parts, body, elsewhere)
  const own = begun ? bodyFrom(parts, begun.base, begun.typed, elsewhere, form).faults : []
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const box = useRef<HTMLDivElement>(null)

  const take = (isLeft: boolean) => {
    clearTimeout(timer.current)
    const now = present.current
    if (!now.begun) return
    const read = bodyFrom(parts, now.begun.base, now.begun.typed, elsewhere, form)
    // Where something else of it was changed meanwhile (an edge, by the graph), both hold.
    const made = merged(now.begun.base, read.body, now.body, () => 'mine')
    if (!same(made, now.body)) commit(made)
    if (read.faults.length > 0) return
    keep(isLeft ? undefined : { typed: now.begun.typed, base: made })
  }
  const present = useRef({ begun, body, take })
  present.current = { begun, body, take }
  // Another task is chosen, or the page is left: what can be read is taken along.
  useEffect(() => () => present.current.take(true), [])

  const change = (part: string, drafts: Typed[string]) => {
    keep({ typed: { ...typed, [part]: drafts }, base: begun?.base ?? body })
    clearTimeout(timer.current)
    timer.current = setTimeout(() => present.current.take(false), PAUSE_MS)
  }
  const left = (event: React.FocusEvent) => {
    if (!box.current?.contains(event.relatedTarget as Node | null)) take(true)
  }
  return (
    <div ref={box} className="editor-form" onBlur={left}>
      {parts.map((part) => {
        const fields = part.isRest ? [{ ...REST_FIELD, title: w.more }] : part.fields
        const drafts = typed[part.name] ?? Object.fromEntries(fields.map((field) => [field.name, draftOf(field, undefined)]))
        const at = part.inside === undefined ? '' : `${part.inside}.`
        const seen = [...own, ...faults].filter((fault) => fault.path.startsWith(at)).map((fault) => ({ ...fault, path: fault.path.slice(at.length) }))
        const isBad = seen.some((fault) => fields.some((field) => fault.path === field.name || fault.path.startsWith(`${field.name}.`)))
        const shown = fields.length === 0 ? <p className="muted">{w.noParams}</p> : <SchemaForm fields={fields} drafts={drafts} faults={seen} change={(next) => change(part.name, next)} expressions={part.inside !== undefined} unmarked={part.inside === undefined} />
        if (part.title === '') return <div key={part.name}>{shown}</div>
        return (
          <details key={part.name} className="editor-part" open={part.name === 'params' || isUsed(part, typed) || isBad || undefined}>
            <summary>{part.title}</summary>
            {shown}
          </details>
        )
      })}
    </div>
  )
}

const REST_FIELD = { kind: 'json' as const, name: REST, title: '', description: null, required: false, nullable: false, fallback: undefined as Json | undefined, example: undefined as Json | undefined, options: [], of: null, fields: [] }
