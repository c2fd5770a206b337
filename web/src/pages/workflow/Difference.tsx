// What changes from one version to another: tasks first, then the text.
import { useOne } from '../../api/queries'
import { Tag } from '../../ui/Chip'
import { Loaded } from '../../ui/Problem'
import { useWords } from '../../words'
import type { VersionDiff } from './types'
import { words } from './words'
import './difference.css'

export function Difference({ workflow, from, to }: { workflow: string; from: string; to: string }) {
  const w = useWords(words)
  const found = useOne<VersionDiff>(from && to && from !== to ? `/workflows/${encodeURIComponent(workflow)}/versions/${from}/diff` : null, { to }, { every: false, keep: true })
  if (!from || !to || from === to) return <p className="muted">{w.pickTwo}</p>
  return (
    <Loaded of={found} lines={4}>
      {(diff) =>
        diff.changes.length === 0 && diff.text === '' ? <p className="muted">{w.same}</p> : (
          <div className="stack">
            <ul className="changes">
              {diff.changes.map((c, i) => (
                <li key={i}>
                  <Tag tone={c.change === 'added' ? 'good' : c.change === 'removed' ? 'bad' : 'busy'}>{w.changes[c.change] ?? c.change}</Tag>
                  <strong>{c.task ?? w.whole}</strong> {c.key && <code>{c.key}</code>}
                  {(c.key || c.change === 'renamed') && <span className="muted cut">{short(c.before)} → {short(c.after)}</span>}
                </li>
              ))}
            </ul>
            <div className="diff" tabIndex={0} role="region" aria-label={w.textDiff}>
              {diff.text.split('\n').map((line, i) => <div key={i} className={kindOf(line)}>{line || ' '}</div>)}
            </div>
          </div>
        )
      }
    </Loaded>
  )
}

const short = (value: unknown) => (value == null ? '–' : typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 120)
const kindOf = (line: string) => (/^(\+\+\+|---|@@)/.test(line) ? 'at' : line.startsWith('+') ? 'plus' : line.startsWith('-') ? 'minus' : undefined)
