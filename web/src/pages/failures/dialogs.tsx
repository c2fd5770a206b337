// Retry, handle and mute, for one failure or for a group: each says what, and asks why.
import { useState } from 'react'
import { useAction } from '../../api/queries'
import { count as number } from '../../format'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { BatchDialog } from '../runs/BatchDialog'
import { groupQuery, muteGroup, type FailingGroup } from './groups'
import { words } from './words'

/** One task, or all of a group. */
export interface Chosen {
  name: string
  count: number
  tasks?: string[]
  group?: FailingGroup
}

export function RetryDialog({ of, onClose }: { of: Chosen; onClose: () => void }) {
  const w = useWords(words)
  if (of.group) return <BatchDialog action="retry" where={groupQuery(of.group)} title={`${number(of.count)} × ${of.name}`} what={w.retryWhat} onClose={onClose} done={() => undefined} />
  return (
    <Act title={w.retryTitle(of.name)} word={w.retry} onClose={onClose} action={{ path: `/tasks/${of.tasks![0]}/retry`, body: {} }}>
      <p>{w.retryWhat}</p>
    </Act>
  )
}

export function HandleDialog({ of, onClose }: { of: Chosen; onClose: () => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [resolution, setResolution] = useState<'fixed' | 'ignored'>('fixed')
  const [note, setNote] = useState('')
  const handle = useAction(onClose)
  const go = () => {
    if (note.trim() === '' || handle.isPending) return
    const body = { resolution, note: note.trim() }
    if (of.tasks) handle.mutate({ path: `/failures/${of.tasks[0]}/handle`, body })
    else handle.mutate({ path: '/failures/handle', body: { ...body, group: groupQuery(of.group!) } })
  }
  return (
    <Dialog title={w.handleTitle(of.count === 1 ? of.name : `${number(of.count)} × ${of.name}`)} onClose={onClose} onSubmit={go} foot={
      <>
        <Button onClick={onClose}>{common.do.cancel}</Button>
        <Button type="submit" look="main" disabled={note.trim() === '' || handle.isPending}>{w.handle}</Button>
      </>
    }>
      <p>{w.handleWhat}</p>
      <fieldset className="choices">
        <legend className="hidden-text">{w.resolution}</legend>
        {(['fixed', 'ignored'] as const).map((one) => (
          <label key={one}><input type="radio" name="resolution" checked={resolution === one} onChange={() => setResolution(one)} /> {w[one]}</label>
        ))}
      </fieldset>
      <label className="field"><span>{w.note}</span><input className="input" value={note} placeholder={w.noteHint} maxLength={500} autoFocus onChange={(event) => setNote(event.target.value)} /></label>
      {handle.error && <Problem error={handle.error} />}
    </Dialog>
  )
}

export function MuteDialog({ of, onClose }: { of: Chosen; onClose: () => void }) {
  const w = useWords(words)
  const [period, setPeriod] = useState<keyof typeof w.hours>('24h')
  const group = muteGroup(of.group!)
  if (of.group!.muted_until) {
    return <Act title={w.unmuteTitle(of.name)} word={w.unmute} onClose={onClose} action={{ path: '/failures/unmute', body: { group } }}><p>{w.unmuteWhat}</p></Act>
  }
  return (
    <Act title={w.muteTitle(of.name)} word={w.mute} needReason onClose={onClose} action={{ path: '/failures/mute', body: { group, for: period } }}>
      <p>{w.muteWhat}</p>
      <label className="field">
        <span>{w.muteFor}</span>
        <select className="input" value={period} onChange={(event) => setPeriod(event.target.value as keyof typeof w.hours)}>
          {Object.entries(w.hours).map(([value, word]) => <option key={value} value={value}>{word}</option>)}
        </select>
      </label>
    </Act>
  )
}
