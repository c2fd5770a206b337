// A filter that is typed: it takes effect a moment after the last letter.
import { useEffect, useState } from 'react'

export function Typed({ label, hint, value, write }: { label: string; hint: string; value: string; write: (value: string) => void }) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => write(text.trim()), 300)
    return () => clearTimeout(timer)
  }, [text, value, write])
  return <input className="input filter-text" type="search" aria-label={label} placeholder={hint} value={text} onChange={(event) => setText(event.target.value)} />
}
