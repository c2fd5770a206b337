// What went into a run, and what came out of the tasks that nothing else waits for.
import type { InstanceDetail } from '../../api/types'
import { Panel } from '../../ui/Panel'
import { Json } from '../../ui/Json'
import { useWords } from '../../words'
import { words } from './words'

export function Data({ run }: { run: InstanceDetail }) {
  const w = useWords(words)
  const empty = (value: unknown) => value === null || value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0)
  return (
    <div className="stack run-data">
      <Panel title={w.params}>{empty(run.params) ? <p className="muted">{w.noParams}</p> : <Json value={run.params} label={w.params} />}</Panel>
      {!empty(run.overrides) && <Panel title={w.overrides}><Json value={run.overrides} label={w.overrides} /></Panel>}
    </div>
  )
}
