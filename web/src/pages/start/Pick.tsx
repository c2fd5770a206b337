// Which workflow: a dialog that asks before another one that needs to know.
import { useState } from 'react'
import { useList } from '../../api/queries'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { words } from './words'

export function Pick({ title, pick, onClose }: { title: string; pick: (workflow: string) => void; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const list = useList<{ workflow: string; title: string | null }>('/workflows', { limit: 200 }, { every: false })
  const [chosen, setChosen] = useState('')
  const names = (list.items ?? []).map((one) => one.workflow)
  return (
    <Dialog title={title} onClose={onClose} onSubmit={() => names.includes(chosen) && pick(chosen)} foot={
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
