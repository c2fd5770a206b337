// Datasets: the latest version of each, by which run, and how many uses are stale; one is opened beside the list.
import { useQueryState } from '../../api/address'
import { useList } from '../../api/queries'
import { count } from '../../format'
import { Tag } from '../../ui/Chip'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Filters, Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { Typed } from '../../ui/Typed'
import { useCommon, useWords } from '../../words'
import { By } from './By'
import { type DatasetItem, staleUses } from './datasets'
import { Detail } from './Detail'
import { words } from './words'
import './datasets.css'

const SAMPLE = `workflow: cn_bars
tasks:
  publish: {job: publish_bars, produces: "cn_daily@{{ business_date }}"}`

export default function Datasets() {
  const w = useWords(words)
  const common = useCommon()
  const [name, setName] = useQueryState('name')
  const [open, setOpen] = useQueryState('open')
  const found = useList<DatasetItem>('/datasets', name ? { name } : {}, { keep: true })
  return (
    <>
      <Head title={w.title} name={w.title}>{w.about}</Head>
      <Filters><Typed label={w.name} hint={w.nameHint} value={name} write={setName} /></Filters>
      <LoadedList of={found} empty={name ? <Empty title={common.empty.noMatch} onClear={() => setName('')} /> : <Empty title={w.none} code={SAMPLE}>{w.noneMore}</Empty>}>
        {(datasets) => <Listed datasets={datasets} chosen={open} open={(one) => setOpen(one, true)} />}
      </LoadedList>
      {open && <Detail key={open} name={open} onClose={() => setOpen('')} />}
    </>
  )
}

function Listed({ datasets, chosen, open }: { datasets: DatasetItem[]; chosen: string; open: (name: string) => void }) {
  const w = useWords(words)
  const common = useCommon()
  return (
    <Table
      label={w.title} rows={datasets} keyOf={(one) => one.id} open={(one) => open(one.name)} selected={(one) => one.name === chosen}
      columns={[
        { head: common.field.dataset, cell: (one) => <strong className="dataset-name">{one.name}</strong> },
        { head: w.version, width: '5rem', right: true, cell: (one) => count(one.version) },
        { head: w.date, width: '8rem', wide: true, cell: (one) => one.business_date ?? <span className="muted">–</span> },
        { head: w.recorded, width: '9rem', cell: (one) => <Time at={one.recorded_at} /> },
        { head: w.by, width: '18rem', wide: true, cell: (one) => <By of={one} /> },
        { head: w.stale, width: '7rem', right: true, cell: (one) => (one.stale_uses > 0 ? <Tag tone="held" title={w.staleOf(one.stale_uses, staleUses(one))}>{staleUses(one)}</Tag> : <span className="muted">0</span>) },
      ]}
    />
  )
}
