// A file to read, line by line with numbers; YAML in colours: keys, strings, expressions, comments. Enough to find one's way, no grammar.
import type { ReactNode } from 'react'
import './yamlText.css'

const TOKEN = /((?<=^|\s)#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(\{\{.*?\}\})|([^\s{}[\],:"'#]+)(?=:(?:\s|$))/g

export function YamlText({ text, plain = false, label }: { text: string; plain?: boolean; label?: string }) {
  return (
    <pre className="source" tabIndex={0} aria-label={label}>
      {text.trimEnd().split('\n').map((line, i) => <code key={i}>{plain ? line : coloured(line)}{'\n'}</code>)}
    </pre>
  )
}

function coloured(line: string): ReactNode[] {
  const parts: ReactNode[] = []
  let at = 0
  for (const found of line.matchAll(TOKEN)) {
    const [token, note, quoted, expression] = found
    const kind = note ? 'y-note' : expression || quoted?.includes('{{') ? 'y-expression' : quoted ? 'y-string' : 'y-key'
    parts.push(line.slice(at, found.index), <span key={found.index} className={kind}>{token}</span>)
    at = found.index + token.length
  }
  return [...parts, line.slice(at)]
}
