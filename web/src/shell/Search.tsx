// `/` or Ctrl K: workflows, tasks, runs, jobs, datasets and pages by the beginning of their name.
import { Search as Glass } from 'lucide-react'
import { useEffect, useId, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { useOne } from '../api/queries'
import { useKeys } from '../keys'
import { pages } from '../pages'
import { useCommon } from '../words'

interface Hit {
  kind: string
  word: string
  note?: string
  to: string
}

interface Found {
  workflows: { workflow: string; title: string }[]
  tasks: { workflow: string; task: string; title: string }[]
  instances: { id: number; workflow: string | null; name: string | null; state: string }[]
  jobs: { job: string; title: string }[]
  datasets: { name: string; version: number }[]
}

export function Search() {
  const w = useCommon()
  const id = useId()
  const box = useRef<HTMLInputElement>(null)
  const [, go] = useLocation()
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const [open, setOpen] = useState(false)
  const asked = useSettled(typed.trim(), 150)
  const found = useOne<Found>(open && asked ? '/search' : null, { q: asked }, { every: false, keep: true })
  const hits = [...pageHits(typed, w.nav), ...(asked && found.data ? hitsOf(found.data, w) : [])]
  const focus = () => box.current?.focus()
  useKeys({ '/': focus, 'Ctrl+k': focus })
  const take = (hit: Hit | undefined) => {
    if (!hit) return
    setTyped('')
    box.current?.blur()
    go(hit.to)
  }
  const shown = open && typed.trim() !== ''
  return (
    <div className="search">
      <Glass aria-hidden size={15} />
      <input
        ref={box} className="input" type="search" role="combobox" aria-expanded={shown} aria-controls={id} aria-activedescendant={shown && hits[at] ? `${id}-${at}` : undefined}
        aria-label={w.top.search} placeholder={`${w.top.search}  /`} value={typed} autoComplete="off"
        onFocus={() => setOpen(true)} onBlur={() => setOpen(false)}
        onChange={(event) => { setTyped(event.target.value); setAt(0) }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setAt(Math.min(hits.length - 1, at + 1))
          else if (event.key === 'ArrowUp') setAt(Math.max(0, at - 1))
          else if (event.key === 'Enter') take(hits[at])
          else if (event.key === 'Escape') { setTyped(''); box.current?.blur() }
          else return
          event.preventDefault()
        }}
      />
      {shown && (
        <div id={id} role="listbox" aria-label={w.top.search} className="search-list">
          {hits.map((hit, i) => (
            <div key={hit.to} id={`${id}-${i}`} role="option" aria-selected={i === at} onMouseDown={(event) => { event.preventDefault(); take(hit) }} onMouseMove={() => setAt(i)}>
              <span className="cut grow">{hit.word} <span className="muted">{hit.note}</span></span>
              <span className="search-kind">{hit.kind}</span>
            </div>
          ))}
          {hits.length === 0 && <div role="option" aria-selected={false} aria-disabled className="muted">{found.isFetching ? w.time.loading : w.empty.noMatch}</div>}
        </div>
      )}
    </div>
  )
}

function pageHits(typed: string, nav: Record<string, string>): Hit[] {
  const word = typed.trim().toLowerCase()
  if (!word) return []
  return pages.flatMap((p) => {
    const name = p.bar ? nav[p.bar.word] : undefined
    return name?.toLowerCase().startsWith(word) ? [{ kind: nav.main!, word: name, to: p.path }] : []
  })
}

function hitsOf(found: Found, w: ReturnType<typeof useCommon>): Hit[] {
  const flow = (key: string) => `/workflows/${encodeURIComponent(key)}`
  return [
    ...found.workflows.map((x) => ({ kind: w.field.workflow, word: x.workflow, note: x.title === x.workflow ? '' : x.title, to: flow(x.workflow) })),
    ...found.instances.map((x) => ({ kind: w.field.run, word: `#${x.id}`, note: x.name ?? x.workflow ?? '', to: `/instances/${x.id}` })),
    ...found.tasks.map((x) => ({ kind: w.field.task, word: x.task, note: x.workflow, to: `${flow(x.workflow)}?row=${encodeURIComponent(x.task)}` })),
    ...found.jobs.map((x) => ({ kind: w.field.job, word: x.job, note: x.title === x.job ? '' : x.title, to: `/jobs?job=${encodeURIComponent(x.job)}` })),
    ...found.datasets.map((x) => ({ kind: w.field.dataset, word: x.name, note: `v${x.version}`, to: `/datasets?open=${encodeURIComponent(x.name)}` })),
  ]
}

function useSettled(value: string, ms: number): string {
  const [settled, set] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}
