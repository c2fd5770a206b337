// The draft as YAML, in a plain field with line numbers. What can be read becomes an edit; what cannot is kept here.
import { useEffect, useRef, useState } from 'react'
import { ApiProblem, call } from '../../api/call'
import { Button } from '../../ui/Button'
import { Problem } from '../../ui/Problem'
import { useWords } from '../../words'
import { placeOf, same, tasksOf, type Doc } from './document'
import { FaultPanel } from './Faults'
import { merged } from './merge'
import { useDraft, useDraftState, useTyped } from './useDraft'
import { words } from './words'

const PAUSE_MS = 600

interface Begun {
  text: string
  /** The draft when typing began. */
  base: Doc
}

interface Judged {
  faults: { where: string; line: number; message: string }[]
  /** What the text says; null if it cannot be read. */
  document: Doc | null
}

export default function Yaml() {
  const w = useWords(words)
  const draft = useDraft()
  const { saved, document, status, refused } = useDraftState()
  const [begun, keep] = useTyped<Begun>('yaml')
  const [shown, setShown] = useState<string | null>(saved.text !== null && saved.format === 'yaml' ? saved.text : null)
  const [judged, setJudged] = useState<Judged | null>(null)
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const notTaken = refused?.edit.kind === 'text' ? refused.edit.text : null

  // What the server did not take (another workflow's key, a cycle) is still there to be put right.
  useEffect(() => {
    if (notTaken !== null && draft.get().typed.yaml === undefined) keep({ text: notTaken, base: draft.get().document })
  }, [notTaken])
  // As the server writes it, whenever it has become another one; not over what is being typed.
  useEffect(() => {
    if (saved.text !== null && saved.format === 'yaml') return setShown(saved.text)
    const stop = new AbortController()
    call<{ text: string }>(draft.path, { query: { format: 'yaml' }, signal: stop.signal }).then(
      (reply) => setShown(reply.data.text),
      (error: unknown) => error instanceof ApiProblem && error.code !== 0 && setProblem(error),
    )
    return () => stop.abort()
  }, [draft, saved.hash, saved.text, saved.format])

  const text = begun?.text ?? shown
  useEffect(() => {
    if (text === null) return
    const stop = new AbortController()
    const timer = setTimeout(() => {
      call<Judged>('/workflows/validate', { method: 'POST', body: { text, format: 'yaml' }, signal: stop.signal }).then(
        ({ data }) => {
          setProblem(null)
          setJudged(data)
          if (begun && data.document !== null && text !== notTaken) take(data.document)
        },
        (error: unknown) => error instanceof ApiProblem && error.code !== 0 && setProblem(error),
      )
    }, begun ? PAUSE_MS : 0)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [text, begun !== undefined, status === 'offline'])

  const take = (read: Doc) => {
    if (!begun) return
    const isAlone = same(begun.base, document)
    setShown(begun.text)
    keep(undefined)
    // Where the draft was changed in another view meanwhile, both hold.
    if (isAlone) draft.edit({ kind: 'text', text: begun.text, format: 'yaml', document: read })
    else draft.edit({ kind: 'whole', document: merged(begun.base, read, document, () => 'mine') })
  }
  if (text === null) return problem ? <Problem error={problem} /> : <p className="muted">…</p>
  const lines = text.split('\n')
  const keys = Object.keys(tasksOf(judged?.document ?? document))
  const goTo = (line: number) => {
    const at = lines.slice(0, Math.max(0, line - 1)).reduce((sum, one) => sum + one.length + 1, 0)
    field.current?.focus()
    field.current?.setSelectionRange(at, at + (lines[line - 1]?.length ?? 0))
    field.current?.closest('.yaml-room')?.scrollTo({ top: (line - 4) * 20 })
  }
  const faulty = new Map((judged?.faults ?? []).filter((fault) => fault.line > 0).map((fault) => [fault.line, fault.message]))
  return (
    <div className="yaml">
      <p className="muted row"><span className="grow">{begun && judged?.document === null ? w.yamlBad : w.yamlWhat} {saved.text?.includes('#') && w.noComments}</span>
        {begun && <Button look="bare" onClick={() => keep(undefined)}>{w.giveUp}</Button>}
      </p>
      <div className="yaml-room">
        <ol className="yaml-lines" aria-hidden>{lines.map((_, i) => <li key={i} data-bad={faulty.has(i + 1) || undefined}>{i + 1}</li>)}</ol>
        <textarea
          ref={field} className="yaml-text" aria-label={w.text} spellCheck={false} wrap="off" rows={Math.max(12, lines.length + 1)} value={text}
          onChange={(event) => keep({ text: event.target.value, base: begun?.base ?? document })}
          onKeyDown={(event) => {
            if (event.key === 'Escape') event.currentTarget.blur()
          }}
        />
      </div>
      {problem && <Problem error={problem} />}
      {judged && <FaultPanel faults={judged.faults.map((fault) => ({ ...placeOf(fault.where, keys), message: fault.message, line: fault.line }))} pick={(fault) => goTo(fault.line ?? 0)} />}
    </div>
  )
}
