// Keys. None acts while somebody types or a dialog is open.
import { useEffect, useRef } from 'react'

export type KeyTable = Record<string, (event: KeyboardEvent) => void>

const busy = (event: KeyboardEvent) => {
  const at = event.target as Element | null
  if (at?.closest?.('input, textarea, select, [contenteditable], .cm-editor, [role="menu"]')) return true
  return document.querySelector('dialog:modal') !== null
}

/** `r`, `G` (with Shift), `Ctrl+k` (also ⌘), `ArrowDown`; two in a row: `g t`. */
export const nameOf = (event: KeyboardEvent) => (event.ctrlKey || event.metaKey ? 'Ctrl+' : '') + event.key

/** While the component is on the page these keys act. The last one to ask for a key has it. */
export function useKeys(table: KeyTable, enabled = true) {
  const present = useRef(table)
  present.current = table
  useEffect(() => {
    if (!enabled) return
    const entry = () => present.current
    stack.push(entry)
    return () => void stack.splice(stack.indexOf(entry), 1)
  }, [enabled])
}

const stack: (() => KeyTable)[] = []
let first = ''
let forget: ReturnType<typeof setTimeout> | undefined

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.altKey || ['Shift', 'Control', 'Meta'].includes(event.key)) return
  const name = nameOf(event)
  if (busy(event) && name !== 'Ctrl+k') return
  const both = first ? `${first} ${name}` : ''
  clearTimeout(forget)
  first = ''
  for (const wanted of [both, name]) {
    if (!wanted) continue
    for (let i = stack.length - 1; i >= 0; i--) {
      const act = stack[i]?.()[wanted]
      if (!act) continue
      event.preventDefault()
      act(event)
      return
    }
  }
  if (stack.some((entry) => Object.keys(entry()).some((key) => key.startsWith(`${name} `)))) {
    first = name
    forget = setTimeout(() => void (first = ''), 1200)
  }
})

/** `j` and `k` walk over the rows of the page's table, wherever it came from. */
export function stepRow(by: number) {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')].filter((row) => row.offsetParent !== null)
  if (rows.length === 0) return
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement))
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))]
  const target = next?.tabIndex === 0 ? next : next?.querySelector<HTMLElement>('a, button')
  target?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}
