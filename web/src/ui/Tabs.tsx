// Tabs that stand in the address, so that a link opens the same one.
import { useRef, type KeyboardEvent, type ReactNode } from 'react'
import './tabs.css'

export interface Tab {
  name: string
  word: ReactNode
}

export function Tabs({ tabs, chosen, choose, label }: { tabs: Tab[]; chosen: string; choose: (name: string) => void; label: string }) {
  const list = useRef<HTMLDivElement>(null)
  const step = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (!by) return
    const at = tabs.findIndex((tab) => tab.name === chosen)
    const next = tabs[(at + by + tabs.length) % tabs.length]
    if (!next) return
    event.preventDefault()
    choose(next.name)
    list.current?.querySelector<HTMLElement>(`[data-name="${next.name}"]`)?.focus()
  }
  return (
    <div ref={list} role="tablist" aria-label={label} className="tabs" onKeyDown={step}>
      {tabs.map((tab) => (
        <button key={tab.name} type="button" role="tab" data-name={tab.name} aria-selected={tab.name === chosen} tabIndex={tab.name === chosen ? 0 : -1} onClick={() => choose(tab.name)}>
          {tab.word}
        </button>
      ))}
    </div>
  )
}
