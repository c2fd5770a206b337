// A year as a grid, a line a month and a sign a day; on a phone a column a month.
import { memo, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import { zoneName } from '../../format'
import { useSettings } from '../../settings'
import { Button } from '../../ui/Button'
import { useNow, useWords } from '../../words'
import { words } from './words'
import { countsOf, dayWord, hoursOf, monthsOf, signs, spanOf, walk, wholeOf, type CalendarYear, type Day, type Kind } from './year'

const NARROW = '(max-width: 50rem)'

/** `override`: given to whom may say what a day is. */
export function Year({ of, override }: { of: CalendarYear; override?: (day: string) => void }) {
  const w = useWords(words)
  const months = useMemo(() => monthsOf(of), [of])
  const kinds = useMemo(() => kindWords(of, w), [of, w])
  const today = todayIn(of.timezone, useNow())
  const box = useRef<HTMLDivElement>(null)
  const [walked, setWalked] = useState('')
  const [pointed, setPointed] = useState('')
  const at = walked || (today.startsWith(`${of.year}-`) ? today : months[0]![0]!.day)
  const known = (day: string) => day >= of.first && day <= of.last
  const onKey = (event: KeyboardEvent) => {
    const isOverride = event.key === 'Enter' && override && known(at)
    if (!isOverride && !/^(Arrow|Home|End)/.test(event.key)) return
    event.preventDefault()
    event.stopPropagation()
    if (isOverride) return override(at)
    const next = walk(at, event.key, matchMedia(NARROW).matches)
    setWalked(next)
    box.current?.querySelector<HTMLElement>(`[data-day="${next}"]`)?.focus()
  }
  const dayOf = (event: { target: EventTarget }) => (event.target as Element).closest<HTMLElement>('[data-day]')?.dataset.day ?? ''
  const shown = pointed || walked
  return (
    <>
      <Told of={of} kinds={kinds} day={months.flat().find((each) => each.day === shown)} override={shown === walked && known(shown) ? override : undefined} />
      <div
        ref={box} className="year" role="grid" aria-label={`${of.name} ${of.year}`} onKeyDown={onKey}
        onFocus={(event) => setWalked(dayOf(event))} onMouseOver={(event) => setPointed(dayOf(event))} onMouseLeave={() => setPointed('')}
      >
        <Months of={months} kinds={kinds} today={today} at={at} />
      </div>
      <ul className="year-signs" aria-label={w.signs}>
        {countsOf(months).map(([kind, many]) => <li key={kind}><i data-kind={kind} aria-hidden>{signs[kind]}</i> <strong>{many}</strong> {kinds[kind]}</li>)}
      </ul>
    </>
  )
}

/** Drawn anew only when another day has the focus: the pointer and the clock move more often. */
const Months = memo(function Months({ of: months, kinds, today, at }: { of: Day[][]; kinds: Record<Kind, string>; today: string; at: string }) {
  const w = useWords(words)
  const { lang } = useSettings()
  const month = new Intl.DateTimeFormat(lang, { timeZone: 'UTC', month: 'short' })
  return (
    <>
      <div role="row">
        <span role="columnheader" style={place(0, 0)}><span className="hidden-text">{w.month}</span></span>
        {Array.from({ length: 31 }, (_, i) => <span key={i} role="columnheader" className="year-head" style={place(0, i + 1)}>{i + 1}</span>)}
        <span role="columnheader" className="year-head year-sum" style={place(0, 32)}>{w.sum}</span>
      </div>
      {months.map((days, m) => {
        const name = month.format(new Date(days[0]!.day))
        const many = days.filter((each) => each.session).length
        return (
          <div role="row" key={m}>
            <span role="rowheader" className="year-head" style={place(m + 1, 0)}>{name}</span>
            {days.map(({ day, kind }, d) => (
              <span
                key={day} role="gridcell" data-day={day} data-kind={kind} data-today={day === today || undefined} tabIndex={day === at ? 0 : -1}
                aria-label={[dayWord(day, lang), kinds[kind], day === today && w.today].filter(Boolean).join(', ')} style={place(m + 1, d + 1)}
              >{signs[kind]}</span>
            ))}
            <span role="gridcell" className="year-head year-sum" aria-label={w.inMonth(name, many)} style={place(m + 1, 32)}>{many}</span>
          </div>
        )
      })}
    </>
  )
})

/** Work days are no sessions. */
const kindWords = (of: CalendarYear, w: typeof words.en): Record<Kind, string> => (of.kind === 'workday' ? { ...w.kinds, ...w.workKinds } : w.kinds)

const place = (month: number, day: number) => ({ '--month': month + 1, '--day': day + 1 }) as React.CSSProperties

const todayIn = (zone: string, now: number) => new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(now)

/** What the day is that is pointed at: one line, always in the same place. */
function Told({ of, kinds, day, override }: { of: CalendarYear; kinds: Record<Kind, string>; day?: Day; override?: (day: string) => void }) {
  const w = useWords(words)
  const { zone, lang } = useSettings()
  if (!day) return <p className="year-told muted">{w.hint}</p>
  const { session } = day
  const hours = session ? hoursOf(session, of.timezone) : []
  return (
    <p className="year-told">
      <strong>{dayWord(day.day, lang)}</strong>
      {override && <Button onClick={() => override(day.day)}>{w.overrideDay}</Button>}
      <span>{signs[day.kind]} {kinds[day.kind]}</span>
      {session?.night && <span>{w.night} {spanOf(session.night, of.timezone)}</span>}
      {hours.length > 0 && <span>{w.hours} {hours.join(' ')} <span className="muted">{of.timezone}</span></span>}
      {hours.length > 0 && zoneName(zone) !== of.timezone && <span className="muted">{w.here} {wholeOf(session!, zone).join(', ')}</span>}
    </p>
  )
}
