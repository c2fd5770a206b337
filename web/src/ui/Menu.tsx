// A button with a list that opens below it (popover: closes by Esc and by a click elsewhere).
import { ChevronDown, type LucideIcon } from 'lucide-react'
import { useId, useRef, type KeyboardEvent, type ReactNode } from 'react'
import './menu.css'

export interface MenuItem {
  word: ReactNode
  icon?: LucideIcon
  /** Marks the choice that holds. */
  chosen?: boolean
  danger?: boolean
  disabled?: boolean
  act: () => void
}

interface Props {
  title: string
  label?: ReactNode
  icon?: LucideIcon
  items: MenuItem[]
  look?: 'bare'
}

export function Menu({ title, label, icon: Icon, items, look }: Props) {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const place = () => {
    const box = list.current
    const at = button.current?.getBoundingClientRect()
    if (!box || !at) return
    box.style.top = `${Math.min(at.bottom + 4, innerHeight - box.offsetHeight - 8)}px`
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`
    box.querySelector<HTMLElement>('[aria-checked="true"], [role^="menuitem"]')?.focus()
  }
  const step = (event: KeyboardEvent) => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]:not(:disabled)') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    event.stopPropagation()
    all.at(to % all.length)?.focus()
  }
  return (
    <>
      <button ref={button} type="button" className="button" data-look={look} data-icon={label == null || undefined} title={title} aria-label={title} aria-haspopup="menu" popoverTarget={id}>
        {Icon && <Icon aria-hidden size={15} />}
        {label != null && <><span>{label}</span><ChevronDown aria-hidden size={13} /></>}
      </button>
      <div ref={list} id={id} popover="auto" role="menu" aria-label={title} className="menu" tabIndex={-1} onToggle={(event) => event.newState === 'open' && place()} onKeyDown={step}>
        {items.map((item, i) => (
          <button
            key={i}
            type="button"
            role={item.chosen === undefined ? 'menuitem' : 'menuitemradio'}
            aria-checked={item.chosen}
            disabled={item.disabled}
            data-danger={item.danger || undefined}
            onClick={() => { list.current?.hidePopover(); item.act() }}
          >
            {item.icon && <item.icon aria-hidden size={15} />}
            <span className="grow">{item.word}</span>
          </button>
        ))}
      </div>
    </>
  )
}
