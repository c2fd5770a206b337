// A year of a workflow by business dates: what each day is. Pure.
export interface DayOfWorkflow {
  date: string
  is_session: boolean
  is_gap: boolean
  runs: number
  state: string | null
  instance_id: number | null
}

export interface YearOfWorkflow {
  workflow: string
  calendar: string
  year: number
  gaps: number
  days: DayOfWorkflow[]
}

/** What a day is, with its sign, in the order of the legend. */
export const signs = { good: '●', open: '◐', bad: '✕', missing: '○', coming: '–', none: '·' } as const
export type DayKind = keyof typeof signs

export interface DayOfYear {
  day: string
  kind: DayKind
  of?: DayOfWorkflow
}

export function kindOf(day: DayOfWorkflow | undefined): DayKind {
  if (!day) return 'none'
  if (day.state === 'SUCCESS') return 'good'
  if (day.state === 'FAILED' || day.state === 'TERMINATED') return 'bad'
  if (day.state) return 'open'
  return day.is_gap ? 'missing' : 'coming'
}

/** The days of the year by month. */
export function monthsOf(year: YearOfWorkflow): DayOfYear[][] {
  const known = new Map(year.days.map((each) => [each.date, each]))
  return Array.from({ length: 12 }, (_, month) => {
    const length = new Date(Date.UTC(year.year, month + 1, 0)).getUTCDate()
    return Array.from({ length }, (_, i) => {
      const day = new Date(Date.UTC(year.year, month, i + 1)).toISOString().slice(0, 10)
      const of = known.get(day)
      return { day, kind: kindOf(of), of }
    })
  })
}

/** How many days are of each kind, without kinds that there are none of. */
export const countsOf = (months: DayOfYear[][]): [DayKind, number][] =>
  (Object.keys(signs) as DayKind[]).map((kind): [DayKind, number] => [kind, months.flat().filter((day) => day.kind === kind).length]).filter(([, many]) => many > 0)

/** From the first to the last session without a run; nothing where there is none. */
export function missingOf(months: DayOfYear[][]): { from?: string; to?: string } {
  const missing = months.flat().filter((day) => day.kind === 'missing')
  return missing.length > 0 ? { from: missing[0]!.day, to: missing[missing.length - 1]!.day } : {}
}
