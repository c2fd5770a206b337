// What a tenant used: its runs that have ended, added up by workflow or by day.
import { useEffect } from 'react'
import { useQueryState } from '../../api/address'
import { useList } from '../../api/queries'
import { count, duration, megabytes } from '../../format'
import { LoadedList } from '../../ui/LoadedList'
import { Panel } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { useCommon, useNow, useWords } from '../../words'
import { summed, type Sum, type UsageItem } from './access'
import { words } from './words'

const PERIODS = [7, 31, 92]
const MOST_ROWS = 10_000

export function Usage({ tenant }: { tenant: string }) {
  const w = useWords(words)
  const common = useCommon()
  const [days, setDays] = useQueryState('days', '31')
  const [by, setBy] = useQueryState('by', 'workflow')
  const today = Math.floor(useNow() / 86_400_000) * 86_400_000
  const from = new Date(today - (Number(days) || 31) * 86_400_000).toISOString().slice(0, 10)
  const found = useList<UsageItem>(`/tenants/${encodeURIComponent(tenant)}/usage`, { from, limit: 500 }, { every: false })
  const { more, loadingMore, items } = found
  useEffect(() => {
    if (more && !loadingMore && (items?.length ?? 0) < MOST_ROWS) more()
  }, [more, loadingMore, items])
  return (
    <Panel flush title={w.usage} actions={
      <span className="row panel-acts">
        <select className="input" aria-label={w.period} value={days} onChange={(event) => setDays(event.target.value)}>{PERIODS.map((n) => <option key={n} value={n}>{w.lastDays(n)}</option>)}</select>
        <select className="input" aria-label={w.how} value={by} onChange={(event) => setBy(event.target.value)}><option value="workflow">{w.byWorkflow}</option><option value="day">{w.byDay}</option></select>
      </span>
    }>
      <LoadedList of={found} lines={3} reads empty={<p className="muted access-hint">{w.noUsage}</p>}>
        {(items) => (
          <Table
            label={w.usage} rows={rowsOf(items, by === 'day' ? 'day' : 'workflow', w.all)} keyOf={(one) => one.name}
            columns={[
              { head: by === 'day' ? w.day : w.workflow, cell: (one) => (one.name === w.all ? <strong>{one.name}</strong> : one.name || w.single) },
              { head: w.runs, width: '6rem', right: true, cell: (one) => count(one.instances) },
              { head: w.tasks, width: '6rem', right: true, cell: (one) => count(one.tasks) },
              { head: w.failed, width: '6rem', right: true, wide: true, cell: (one) => (one.failed ? <span className="access-bad">{count(one.failed)}</span> : <span className="muted">0</span>) },
              { head: w.taskTime, width: '8rem', right: true, cell: (one) => duration(one.task_s, common) },
              { head: w.cpu, width: '8rem', right: true, wide: true, cell: (one) => duration(one.cpu_s, common) },
              { head: w.log, width: '6rem', right: true, wide: true, cell: (one) => megabytes(one.log_mb) },
            ]}
          />
        )}
      </LoadedList>
    </Panel>
  )
}

/** With a line for all of them, where there is more than one. */
function rowsOf(items: UsageItem[], by: 'day' | 'workflow', all: string): Sum[] {
  const rows = summed(items, by)
  if (rows.length < 2) return rows
  const [total] = summed(items.map((one) => ({ ...one, workflow: all })), 'workflow')
  return [...rows, total!]
}
