// Views of the list of runs: filters with a name. Three are there; one's own are kept in this browser. Pure.
import { NAMES, type Filter } from './filters'

export interface View {
  name: string
  /** As in the address. */
  query: string
}

/** The filters as they stand in an address, always in the same order. */
export function queryTextOf(filter: Filter): string {
  const params = new URLSearchParams()
  for (const name of NAMES) if (filter[name] !== '') params.set(name, filter[name])
  return params.toString()
}

/** All filters that a view sets; what it does not name is taken away. */
export function filtersOf(view: Pick<View, 'query'>): Record<string, string> {
  const params = new URLSearchParams(view.query)
  return Object.fromEntries(NAMES.map((name) => [name, params.get(name) ?? '']))
}

/** With one more, or with another meaning of its name. */
export const withView = (views: View[], view: View): View[] => [...views.filter((each) => each.name !== view.name), view].sort((a, b) => a.name.localeCompare(b.name))
export const withoutView = (views: View[], name: string): View[] => views.filter((each) => each.name !== name)
