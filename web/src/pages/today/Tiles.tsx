// The figures above everything: one look tells whether the rest has to be read.
import { Link } from 'wouter'
import type { Overview } from '../../api/overview'
import { count, duration } from '../../format'
import type { Tone } from '../../ui/states'
import { slotsText } from '../../ui/Slots'
import { useCommon, useNow, useWords } from '../../words'
import { words } from './words'

export function Tiles({ overview: o }: { overview: Overview }) {
  const w = useWords(words)
  const common = useCommon()
  const now = useNow()
  const busy = o.daemons.reduce((sum, d) => sum + (d.busy ?? 0), 0)
  const slots = o.daemons.reduce((sum, d) => sum + (d.slots ?? 0), 0)
  const next = o.fires[0]
  const late = (o.oldest_ready_s ?? 0) > 300
  return (
    <ul className="tiles">
      <Tile to="/failures" tone={o.failures ? 'bad' : undefined} figure={`${count(o.failures)}${o.more_failures ? '+' : ''}`} word={w.tileFailed} />
      <Tile to="/instances?state=RUNNING" tone={o.states.RUNNING ? 'busy' : undefined} figure={count((o.states.RUNNING ?? 0) + (o.states.PAUSED ?? 0))} word={w.tileRunning} />
      <Tile to="/instances?state=SUCCESS" figure={count(o.states.SUCCESS ?? 0)} word={w.tileGood} />
      <Tile to="/limits" tone={late ? 'held' : undefined} figure={o.oldest_ready_s == null ? w.none : duration(o.oldest_ready_s, common)} word={w.tileWait} />
      <Tile to={next ? `/workflows/${encodeURIComponent(next.workflow)}` : '/workflows'} figure={next ? duration(Math.max(0, Math.floor((Date.parse(next.at) - now) / 1000)), common) : w.none} word={next ? w.tileUntil(next.workflow) : w.tileNext} />
      <Tile to="/daemons" tone={o.daemons.length ? undefined : 'held'} figure={o.daemons.length ? slotsText(busy, slots) : w.none} word={o.daemons.length ? w.tileSlots : w.daemons} />
    </ul>
  )
}

function Tile({ to, figure, word, tone }: { to: string; figure: string; word: string; tone?: Tone }) {
  return (
    <li>
      <Link href={to} className="tile" data-tone={tone}>
        <strong>{figure}</strong>
        <span>{word}</span>
      </Link>
    </li>
  )
}
