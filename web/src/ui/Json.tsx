// A value as JSON, to read and to copy. Long ones are cut until somebody asks for all.
import { useMemo, useState } from 'react'
import { useWords } from '../words'
import { Copy } from './Empty'
import { words } from './logWords'
import { count } from '../format'

const LONGEST = 20_000

export function Json({ value, label }: { value: unknown; label: string }) {
  const w = useWords(words)
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'null', [value])
  const [whole, setWhole] = useState(false)
  const hidden = whole ? 0 : Math.max(0, text.length - LONGEST)
  return (
    <div className="code json">
      <pre tabIndex={0} aria-label={label}>{hidden > 0 ? text.slice(0, LONGEST) : text}</pre>
      <Copy text={text} />
      {hidden > 0 && <button type="button" className="log-more" onClick={() => setWhole(true)}>… {w.cut(count(hidden))}</button>}
    </div>
  )
}
