// What stands in a box that many tasks were folded into.
import { X } from 'lucide-react'
import { Link } from 'wouter'
import { useOne } from '../../api/queries'
import type { GraphData, InstanceDetail } from '../../api/types'
import { count as number } from '../../format'
import { Button } from '../../ui/Button'
import { CountsBar } from '../../ui/Bar'
import { useWords } from '../../words'
import { words } from './words'

export function FoldAside({ run, node, close }: { run: InstanceDetail; node: number; close: () => void }) {
  const w = useWords(words)
  const graph = useOne<GraphData>(`/instances/${run.id}/graph`, {}, { every: false })
  const box = graph.data?.boxes.find((one) => one.node === node)
  if (!box?.fold) return null
  return (
    <aside className="run-aside" aria-label={box.title || box.key}>
      <header className="aside-head">
        <h2 className="grow cut">{w.folded(number(box.fold.count))}</h2>
        <Button icon={X} look="bare" title={w.closeTask} onClick={close} />
      </header>
      <div className="aside-body">
        {box.counts && <CountsBar counts={box.counts} />}
        <p className="muted">{w.foldedWhat} <code>{box.job}</code></p>
        <ul className="sample aside-tasks">{box.fold.tasks.map((key) => <li key={key}><Link href={`?tab=tasks&node=${encodeURIComponent(key)}`}>{key}</Link></li>)}</ul>
      </div>
    </aside>
  )
}
