// What a dry run of a backfill has told: how many dates would run, which, and how many have a good run already.
import { count } from '../../format'
import { useWords } from '../../words'
import { words as beginWords } from './beginWords'
import { words } from './words'

/** The `result` of the command, with `dry_run`. */
export type DryBackfill = { of: string; dates: number; covered: number; list?: string[] }

const SHOWN = 6

export function Would({ of: told, onlyMissing }: { of: DryBackfill; onlyMissing: boolean }) {
  const w = useWords(beginWords)
  const page = useWords(words)
  const calendar = /^sessions of (.+)$/.exec(told.of)?.[1]
  const what = calendar ? page.sessions(calendar) : page.days
  if (told.dates === 0) return <p><strong>{w.nothing(count(told.covered), what)}</strong></p>
  const list = told.list ?? []
  const shown = list.length > SHOWN ? [...list.slice(0, SHOWN - 1), '…', list[list.length - 1]!] : list
  return (
    <>
      <p><strong>{w.would(told.dates, count(told.dates), what)}</strong></p>
      {told.covered > 0 && <p>{(onlyMissing ? w.leftOut : w.again)(count(told.covered))}</p>}
      <p className="muted">{shown.join(', ')}</p>
    </>
  )
}
