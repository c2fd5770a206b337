// Places that are taken: up to 32 one by one, above that as a bar.
import { count } from '../format'
import { Progress } from './Bar'
import './slots.css'

export function Slots({ busy, slots }: { busy: number; slots: number }) {
  const label = `${count(busy)} / ${count(slots)}`
  return (
    <span className="slots" title={label} data-full={(slots > 0 && busy >= slots) || undefined}>
      {slots > 0 && slots <= 32
        ? <span className="slot-row" aria-hidden>{Array.from({ length: slots }, (_, i) => <i key={i} data-busy={i < busy || undefined} />)}</span>
        : <Progress value={slots ? busy / slots : null} label={label} />}
      <span className="num">{label}</span>
    </span>
  )
}
