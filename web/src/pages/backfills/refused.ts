// What the server refuses of a backfill, at the fields of its dialog. Pure.
import type { ApiProblem } from '../../api/problem'
import { faultsOf, type FormFault } from '../../ui/schemaFields'

export const fields = ['from', 'to', 'calendar', 'order', 'max_active', 'priority', 'window'] as const
export type BackfillField = (typeof fields)[number]

const OF_FIELD = /^(?:args\.|body\.)?(\w+): (.+)$/
const OF_PARAMS = /^(body\.)?params\b/

export interface Refused {
  of: Partial<Record<BackfillField, string>>
  params: FormFault[]
  /** Something is wrong that stands at no field. */
  more: boolean
}

/** The engine says `args.max_active: …`, a line each; the API where a value cannot be read, in `errors`. */
export function refusedAt(error: ApiProblem | null, shows: (fault: FormFault) => boolean): Refused {
  const refused: Refused = { of: {}, params: [], more: false }
  if (!error) return refused
  const params = error.errors.filter((one) => OF_PARAMS.test(one.where ?? ''))
  refused.params = faultsOf(error).filter((_, i) => params.includes(error.errors[i]!))
  const others = error.errors.filter((one) => !params.includes(one)).map((one) => (one.where ? `${one.where}: ${one.message}` : one.message))
  const lines = others.length > 0 ? others : params.length > 0 ? [] : error.message.split('\n')
  for (const line of lines) {
    const found = OF_FIELD.exec(line)
    const field = fields.find((one) => one === found?.[1])
    if (field) refused.of[field] = found![2]
    else refused.more = true
  }
  refused.more ||= !refused.params.every(shows)
  return refused
}
