// The filters of the list of runs: how they stand in the address, in a question to the API, and in a batch. Pure.
import type { Query } from '../../api/call'

export const NAMES = ['state', 'workflow', 'business_date', 'since', 'trigger_type', 'name'] as const
export type Filter = Record<(typeof NAMES)[number], string>

/** What the address says. */
export function filterOf(params: URLSearchParams): Filter {
  return Object.fromEntries(NAMES.map((name) => [name, params.get(name)?.trim() ?? ''])) as Filter
}

export const isEmpty = (filter: Filter) => NAMES.every((name) => filter[name] === '')

/** The question to the API; a name without a star is looked for from its beginning. */
export function queryOf(filter: Filter): Query {
  const { workflow, ...rest } = filter
  return { ...rest, workflow: workflow && !workflow.includes('*') ? `${workflow}*` : workflow }
}

/** The same as the `where` of a batch, without what is not set; null where a batch has no such condition. */
export function whereOf(filter: Filter): Record<string, unknown> | null {
  if (filter.name !== '' || isEmpty(filter)) return null
  const where: Record<string, unknown> = Object.fromEntries(Object.entries(queryOf(filter)).filter(([, value]) => value !== ''))
  if (filter.state.includes(',')) where.state = filter.state.split(',')
  return where
}

/** The states in a filter with one of them added or taken away. */
export function toggled(states: string, state: string): string {
  const chosen = new Set(states === '' ? [] : states.split(','))
  if (!chosen.delete(state)) chosen.add(state)
  return [...chosen].join(',')
}
