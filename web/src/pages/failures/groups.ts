// Failures and their groups as the API answers them, and how a group is named in addresses and questions. Pure.
import type { FailingTask } from '../../api/overview'

/** Failures of one task that have the same error. */
export interface FailingGroup extends FailingTask {
  muted_until: string | null
  muted_by: string | null
  mute_reason: string | null
}

export interface FailureItem {
  task_id: string
  instance_id: number
  workflow: string | null
  task: string
  map_index: number | null
  label: string | null
  attempts?: number | null
  error: string | null
  failed_at: string | null
  handled_at?: string | null
  handled_by?: string | null
  note?: string | null
  business_date?: string | null
}

/** Stands in the address: which group is open. */
export const groupKey = (group: FailingGroup): string => [group.workflow ?? '', group.task, group.error_class ?? ''].join('|')

/** Which run it is, and of which trading day; of a group: the newest. */
export const runOf = ({ instance_id, business_date }: Pick<FailureItem, 'instance_id' | 'business_date'>): string => `#${instance_id}${business_date ? ` · ${business_date}` : ''}`

/** What a mute is about: names, not patterns. */
export const muteGroup = (group: FailingGroup) => ({ workflow: group.workflow, task: group.task, error_class: group.error_class })

/** Muted groups stand behind those that still speak. */
export const spoken = (groups: readonly FailingGroup[]): FailingGroup[] => [...groups.filter((one) => !one.muted_until), ...groups.filter((one) => one.muted_until)]

/** The question for a group's failures, and the `group` of what is done to all of them. */
export function groupQuery(group: FailingGroup): Record<string, string> {
  const { workflow, task, error_class } = group
  return { ...(workflow !== null && { workflow }), task, ...(error_class !== null && { error_class }) }
}
