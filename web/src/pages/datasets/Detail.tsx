// One dataset beside the list: its versions with what their tasks returned, and which task was given which of them.
import { Link } from 'wouter'
import { useList } from '../../api/queries'
import { count } from '../../format'
import { Tag } from '../../ui/Chip'
import { Dialog } from '../../ui/Dialog'
import { LoadedList } from '../../ui/LoadedList'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useCommon, useWords } from '../../words'
import { told, type DatasetItem, type DatasetUseItem } from './datasets'
import { By } from './By'
import { words } from './words'

export function Detail({ name, onClose }: { name: string; onClose: () => void }) {
  const w = useWords(words)
  return (
    <Dialog title={name} onClose={onClose} place="side">
      <h3>{w.versions}</h3>
      <Versions name={name} />
      <h3>{w.uses}</h3>
      <Uses name={name} />
    </Dialog>
  )
}

function Versions({ name }: { name: string }) {
  const w = useWords(words)
  const common = useCommon()
  const found = useList<DatasetItem>('/datasets', { name, exact: true, versions: true })
  return (
    <LoadedList of={found} lines={4} empty={<p className="muted">{common.empty.nothing}</p>}>
      {(all) => (
        <Table
          label={w.versions} rows={all} keyOf={(one) => one.id}
          columns={[
            { head: w.version, width: '7rem', cell: (one) => <span className="row">{count(one.version)}{one.is_latest && <Tag tone="good">{w.latest}</Tag>}</span> },
            { head: w.metadata, cell: (one) => <span className="dataset-name">{told(one.metadata)}</span> },
            { head: w.by, cell: (one) => <By of={one} /> },
            { head: w.recorded, width: '7rem', wide: true, cell: (one) => <Time at={one.recorded_at} /> },
          ]}
        />
      )}
    </LoadedList>
  )
}

function Uses({ name }: { name: string }) {
  const w = useWords(words)
  const common = useCommon()
  const found = useList<DatasetUseItem>('/datasets/uses', { name, exact: true })
  return (
    <LoadedList of={found} lines={4} empty={<p className="muted">{w.nobody}</p>}>
      {(uses) => (
        <Table
          label={w.uses} rows={uses} keyOf={(one) => one.task_id}
          columns={[
            { head: common.field.task, cell: (one) => <span className="dataset-name">{one.workflow} › {one.task} <span className="muted">{one.business_date}</span></span> },
            { head: common.field.run, width: '5rem', cell: (one) => <Link href={`/instances/${one.instance_id}`}>#{one.instance_id}</Link> },
            { head: w.given, width: '8rem', cell: (one) => <span className="row">{count(one.version)}{one.is_stale && <Tag tone="held" title={w.isLatest(one.latest_version)}>{w.isStale}</Tag>}</span> },
            { head: w.when, width: '7rem', wide: true, cell: (one) => <Time at={one.used_at} /> },
          ]}
        />
      )}
    </LoadedList>
  )
}
