// A workflow from nothing: a key, or YAML that somebody has; either becomes a draft and is opened.
import { useState } from 'react'
import { useLocation } from 'wouter'
import { ApiProblem, call, send } from '../../api/call'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { words } from './words'

export default function NewWorkflow({ onClose }: { onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [, go] = useLocation()
  const [key, setKey] = useState('')
  const [title, setTitle] = useState('')
  const [text, setText] = useState('')
  const [problem, setProblem] = useState<Error | null>(null)
  const [isBusy, setBusy] = useState(false)
  const make = async () => {
    setBusy(true)
    setProblem(null)
    try {
      const name = text.trim() ? await keyOf(text, w.needKey) : key.trim()
      const content = text.trim() ? { text, format: 'yaml' } : { document: { workflow: name, ...(title.trim() ? { title: title.trim() } : {}), tasks: {} } }
      const path = `/workflows/${encodeURIComponent(name)}/versions`
      const { data } = await send<{ version: number }>(path, { body: { ...content, new: true } })
      go(`${path}/${data.version}/edit`)
    } catch (error) {
      setProblem(error as Error)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={w.newTitle} onClose={onClose} onSubmit={() => { if (!isBusy && (key.trim() || text.trim())) void make() }}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={isBusy || !(key.trim() || text.trim())}>{w.create}</Button></>}
    >
      <div className="stack new-workflow">
        {!text.trim() && (
          <>
            <label className="field"><span>{w.newKey}</span><input className="input mono" value={key} autoFocus autoComplete="off" spellCheck={false} maxLength={200} aria-describedby="new-key" onChange={(event) => setKey(event.target.value)} /></label>
            <p id="new-key" className="muted">{w.newKeyWhat}</p>
            <label className="field"><span>{w.newName} ({common.field.optional})</span><input className="input" value={title} maxLength={200} onChange={(event) => setTitle(event.target.value)} /></label>
          </>
        )}
        <label className="field"><span>{w.paste}</span><textarea className="input mono" rows={text ? 14 : 3} value={text} spellCheck={false} placeholder={'workflow: daily_bars\ntasks:\n  load: {job: load}'} aria-describedby="new-text" onChange={(event) => setText(event.target.value)} /></label>
        <p id="new-text" className="muted">{w.pasteWhat}</p>
        {problem && <Problem error={problem} />}
      </div>
    </Dialog>
  )
}

/** The key that a text says. Raises: ApiProblem with what is wrong with it where it cannot be read. */
async function keyOf(text: string, needKey: string): Promise<string> {
  const { data } = await call<{ workflow: string | null; faults: { where: string; line: number; message: string }[]; document: unknown }>('/workflows/validate', { method: 'POST', body: { text, format: 'yaml' } })
  if (data.workflow !== null) return data.workflow
  throw data.document === null ? new ApiProblem(42202, '', data.faults) : new Error(needKey)
}
