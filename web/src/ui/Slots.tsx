// Places that are taken: up to 32 one by one, above that as a bar.
import { count } from '../format'
import { useCommon } from '../words'
import { Progress } from './Bar'
import './slots.css'

/** `2 / 2 +1`: a daemon claims a few tasks more than it has slots, so that none stands idle; those are not busy yet. */
export const slotsText = (busy: number, slots: number) => `${count(Math.min(busy, slots))} / ${count(slots)}${busy > slots ? ` +${count(busy - slots)}` : ''}`

export function Slots({ busy, slots }: { busy: number; slots: number }) {
  const w = useCommon()
  const label = slotsText(busy, slots)
  return (
    <span className="slots" title={busy > slots ? `${label}: ${w.slots.claimed}` : label} data-full={(slots > 0 && busy >= slots) || undefined}>
      {slots > 0 && slots <= 32
        ? <span className="slot-row" aria-hidden>{Array.from({ length: slots }, (_, i) => <i key={i} data-busy={i < busy || undefined} />)}</span>
        : <Progress value={slots ? Math.min(1, busy / slots) : null} label={label} />}
      <span className="num">{label}</span>
    </span>
  )
}
