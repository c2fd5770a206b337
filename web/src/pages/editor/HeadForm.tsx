// The form of the workflow itself: title, params, schedule, and what holds for all its tasks.
import { useMemo } from 'react'
import { useWords } from '../../words'
import { placeOf, tasksOf, type Doc } from './document'
import { PartForm } from './PartForm'
import { HEAD_ELSEWHERE, headParts } from './parts'
import { useDraft, useDraftState } from './useDraft'
import { words } from './words'

export function HeadForm() {
  const w = useWords(words)
  const draft = useDraft()
  const { document, saved } = useDraftState()
  const parts = useMemo(() => headParts(w), [w])
  const keys = Object.keys(tasksOf(document))
  const faults = saved.faults.filter((fault) => placeOf(fault.where, keys).task === null).map((fault) => ({ path: (fault.where ?? '').replace(/\[(\d+)\]/g, '.$1'), message: fault.message }))
  const { tasks, ...head } = document
  return (
    <>
      <header className="editor-side-head"><h2>{w.head}</h2></header>
      <PartForm name="head" parts={parts} body={head} elsewhere={HEAD_ELSEWHERE} faults={faults} commit={(body) => draft.edit({ kind: 'whole', document: { ...body, ...(tasks === undefined ? {} : { tasks }) } as Doc })} />
    </>
  )
}
