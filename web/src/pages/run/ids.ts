// Ids of tasks are arithmetic: instance · 2^20 + ordinal. They pass 2^53, so they are text, and counted as BigInt.
import type { TaskItem } from '../../api/types'

const ORDINALS = 1n << 20n

/** The id of the row of a node. */
export const taskIdOf = (instance: number, node: number): string => (BigInt(instance) * ORDINALS + BigInt(node)).toString()

/** The place of a row in its instance; null if it is no id of this instance. */
export function ordinalOf(instance: number, taskId: string): number | null {
  if (!/^\d+$/.test(taskId)) return null
  const place = BigInt(taskId) - BigInt(instance) * ORDINALS
  return place >= 0n && place < ORDINALS ? Number(place) : null
}

/** The topic of the stream that tells of a run, of one that has ended too: it may be retried. */
export const topicOfRun = ({ id }: { id: number }) => `instance:${id}`

/** Of the failures found first, the one to look at: an item tells more than the map that failed because of it. */
export function tellingFailure<T extends Pick<TaskItem, 'kind' | 'error' | 'map_index'>>(failures: readonly T[]): T | null {
  return failures.find((task) => task.map_index !== null) ?? failures.find((task) => task.error) ?? failures[0] ?? null
}

/** `bars[600519]`. */
export function nameOf(task: Pick<TaskItem, 'task' | 'label' | 'map_index'>): string {
  const item = task.label ?? (task.map_index === null ? null : String(task.map_index))
  return item === null ? task.task : `${task.task}[${item}]`
}

/** The middle of several durations in seconds; null of none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
