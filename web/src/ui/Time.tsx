// Times: relative in lists, absolute with the zone written out elsewhere; the title says UTC.
import { useMemo } from 'react'
import { absolute, clock, duration, relative } from '../format'
import { useSettings } from '../settings'
import { useCommon, useNow } from '../words'

interface Props {
  at: string | null | undefined
  /** `ago`: `12 s ago`; `full`: with date and zone; `clock`: `16:30`. */
  as?: 'ago' | 'full' | 'clock'
}

export function Time({ at, as = 'ago' }: Props) {
  return at ? <Known at={at} as={as} /> : <span className="muted">–</span>
}

function Known({ at, as }: { at: string; as: 'ago' | 'full' | 'clock' }) {
  const w = useCommon()
  const now = useNow()
  const { zone } = useSettings()
  const full = useMemo(() => absolute(at, zone), [at, zone])
  const utc = useMemo(() => absolute(at, 'UTC'), [at])
  const shown = as === 'full' ? full : as === 'clock' ? clock(at, zone, now) : relative(at, now, w)
  return <time dateTime={at} title={`${full}\n${utc}`}>{shown}</time>
}

/** How long it took, or how long it runs by now. */
export function Took({ seconds, since, until }: { seconds?: number | null; since?: string | null; until?: string | null }) {
  const w = useCommon()
  if (since && !until) return <Running since={since} />
  const known = seconds ?? (since && until ? (Date.parse(until) - Date.parse(since)) / 1000 : null)
  return known == null ? <span className="muted">–</span> : <span>{duration(known, w)}</span>
}

function Running({ since }: { since: string }) {
  const w = useCommon()
  return <span>{duration(Math.floor((useNow() - Date.parse(since)) / 1000), w)}</span>
}
