// Is anything wrong, and will the morning be on time?
import { useOne } from '../../api/queries'
import type { Overview } from '../../api/types'
import { Chip } from '../../ui/Chip'
import { Head } from '../../ui/Panel'
import { Loaded } from '../../ui/Problem'
import { useCommon } from '../../words'

export default function Today() {
  const w = useCommon()
  const overview = useOne<Overview>('/overview')
  return (
    <>
      <Head title={w.nav.today} name={w.nav.today} />
      <Loaded of={overview}>{(o) => <div className="row">{Object.entries(o.states).map(([state, n]) => <span key={state}><Chip state={state} /> {n}</span>)}</div>}</Loaded>
    </>
  )
}
