// `?`: which key does what, which sign means what.
import { pages } from '../pages'
import { Chip } from '../ui/Chip'
import { Dialog } from '../ui/Dialog'
import { INSTANCE_STATES, TASK_STATES } from '../ui/states'
import { useCommon } from '../words'

export function Help({ onClose }: { onClose: () => void }) {
  const w = useCommon()
  const lines: [string[], string][] = [
    [['/', 'Ctrl K'], w.keys.search],
    [['?'], w.keys.help],
    [['j', 'k'], w.keys.rows],
    [['Enter'], w.keys.open],
    [['Esc'], w.keys.close],
    ...pages.flatMap((p) => (p.bar?.go ? [[[`g`, p.bar.go], `${w.keys.goTo}: ${w.nav[p.bar.word]}`] as [string[], string]] : [])),
  ]
  return (
    <Dialog title={w.top.help} onClose={onClose}>
      <h3>{w.keys.title}</h3>
      <Keys lines={lines} />
      <div className="help-places">{w.keys.places.map(([place, keys]) => <section key={place}><h3>{place}</h3><Keys lines={keys} /></section>)}</div>
      <h3>{w.keys.signs}</h3>
      <dl className="help">
        {[...new Set([...TASK_STATES, ...INSTANCE_STATES])].map((s) => [<dt key={s}><Chip state={s} /></dt>, <dd key={`${s}m`} className="muted">{w.meaning[s]}</dd>])}
      </dl>
    </Dialog>
  )
}

const Keys = ({ lines }: { lines: [string[], string][] }) => (
  <dl className="help">
    {lines.map(([keys, does]) => [<dt key={`k${keys}`}>{keys.map((k, i) => <kbd key={i}>{k}</kbd>)}</dt>, <dd key={`d${keys}`}>{does}</dd>])}
  </dl>
)
