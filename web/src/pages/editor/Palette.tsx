// What a task can run: task definitions, jobs, workflows. A click adds a task; no box is placed by hand.
import { Box, ListTree, Plug, Plus, Shapes, Workflow as Flow, X, type LucideIcon } from 'lucide-react'
import { useState, type RefObject } from 'react'
import { useList, useOne } from '../../api/queries'
import { Button } from '../../ui/Button'
import { useWords } from '../../words'
import type { Body } from './document'
import { NewDefinition } from './NewDefinition'
import { words } from './words'

interface Entry {
  name: string
  note: string
  body: Body
  isDim?: boolean
  /** A task type: a task is made of a definition of it. */
  type?: string
}

interface Group {
  word: string
  icon: LucideIcon
  entries: Entry[]
}

interface Props {
  find: RefObject<HTMLInputElement | null>
  add: (wanted: string, body: Body) => void
  /** The task that the next one comes after. */
  after: string | null
  forgetAfter: () => void
  /** The workflow that is edited: it cannot start itself. */
  own: string
}

const MOST = 60

export function Palette({ find, add, after, forgetAfter, own }: Props) {
  const w = useWords(words)
  const [q, setQ] = useState('')
  const [type, setType] = useState<string | null>(null)
  const groups = useGroups(own)
  const word = q.trim().toLowerCase()
  const shown = groups.map((group) => ({ ...group, entries: group.entries.filter((one) => `${one.name} ${one.note}`.toLowerCase().includes(word)) })).filter((group) => group.entries.length > 0)
  const first = shown[0]?.entries[0]
  const pick = (one: Entry) => {
    setQ('')
    if (one.type !== undefined) return setType(one.type)
    add(one.name.split('/').at(-1)!, one.body)
  }
  return (
    <nav className="palette" aria-label={w.palette}>
      {after !== null && <p className="palette-after"><ListTree aria-hidden size={14} /><span className="grow cut">{w.after} <strong>{after}</strong></span><Button icon={X} look="bare" title={w.closeEdge} onClick={forgetAfter} /></p>}
      <input
        ref={find} className="input" type="search" placeholder={w.find} aria-label={w.palette} value={q} onChange={(event) => setQ(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && first) pick(first)
          if (event.key === 'Escape') { forgetAfter(); event.currentTarget.blur() }
        }}
      />
      {shown.length === 0 && <p className="muted palette-none">{word ? w.nothing : w.noJobs}</p>}
      {shown.map(({ word: title, icon: Icon, entries }) => (
        <section key={title}>
          <h3><Icon aria-hidden size={13} /> {title}</h3>
          <ul>
            {entries.slice(0, MOST).map((one) => (
              <li key={one.name}>
                <button type="button" data-dim={one.isDim || undefined} title={[one.name, one.note].filter(Boolean).join('\n')} onClick={() => pick(one)}>
                  <Plus aria-hidden size={13} />
                  <span className="hidden-text">{w.addTask}</span>
                  <span className="grow"><span className="cut">{one.name}</span>{one.note && <small className="cut">{one.note}</small>}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {type !== null && <NewDefinition type={type} onClose={() => setType(null)} done={(key) => add(key.split('/').at(-1)!, { task: key })} />}
    </nav>
  )
}

function useGroups(own: string): Group[] {
  const w = useWords(words)
  const jobs = useOne<{ job: string; title: string; state: string }[]>('/jobs', {}, { every: 30_000 })
  const definitions = useList<{ key: string; title: string; type: string | null; job: string | null }>('/task-definitions', { limit: 200 }, { every: 30_000 })
  const types = useList<{ type: string; title: string; job: string | null }>('/task-types', { limit: 200 }, { every: 30_000 })
  const workflows = useList<{ workflow: string; title: string; version: number | null }>('/workflows', { limit: 200 }, { every: false })
  return [
    { word: w.definitions, icon: Box, entries: (definitions.items ?? []).map((one) => ({ name: one.key, note: [one.title, one.type ? w.ofType(one.type) : one.job].filter(Boolean).join(' · '), body: { task: one.key } })) },
    { word: w.types, icon: Shapes, entries: (types.items ?? []).map((one) => ({ name: one.type, note: one.title || one.job || '', body: {}, type: one.type })) },
    { word: w.jobs, icon: Plug, entries: (jobs.data ?? []).map((one) => ({ name: one.job, note: one.state === 'WITHDRAWN' ? w.withdrawn : one.title === one.job ? '' : one.title, body: { job: one.job }, isDim: one.state === 'WITHDRAWN' })) },
    { word: w.workflows, icon: Flow, entries: (workflows.items ?? []).filter((one) => one.version !== null && one.workflow !== own).map((one) => ({ name: one.workflow, note: one.title === one.workflow ? '' : one.title, body: { workflow: one.workflow } })) },
  ]
}
