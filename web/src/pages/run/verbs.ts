// What can be done with a run, or with one task of it, where they stand: what the server would refuse is not offered.
import type { InstanceItem, Counts } from '../../api/types'
import { ENDED } from '../../ui/states'
import type { TaskDetail } from './types'
import type { RunWords } from './words'

export type Verb = 'start' | 'pause' | 'resume' | 'terminate' | 'retry'
export type TaskVerb = 'retry' | 'skip' | 'rerun' | 'terminate'
type Standing = Pick<InstanceItem, 'state' | 'saga_state' | 'wait_reason'> & { counts: Counts }

const BY_STATE: Record<string, Verb[]> = {
  READY: ['start', 'terminate'],
  RUNNING: ['pause', 'terminate'],
  PAUSED: ['resume', 'terminate'],
  FAILED: ['retry'],
  TERMINATED: ['retry'],
}

/** A failure in a run that goes on can be retried at once. */
export function verbsOf(run: Standing): Verb[] {
  const possible = BY_STATE[run.state] ?? []
  return run.state === 'RUNNING' && (run.counts.FAILED ?? 0) > 0 ? ['retry', ...possible] : possible
}

/** Whether the state alone lets some of these runs do it: one that is held is resumed by being started. */
export const somePossible = (verb: Verb, states: readonly string[]) =>
  states.some((state) => (BY_STATE[state] ?? []).includes(verb) || (verb === 'resume' && state === 'READY') || (verb === 'retry' && state === 'RUNNING'))

/** Why the server would refuse a verb that the state allows; null: it would not. */
export function whyNot(verb: Verb, run: Standing, w: RunWords): string | null {
  if ((verb === 'pause' || verb === 'retry') && run.wait_reason === 'is being terminated') return w.not.ending
  if (verb === 'start' && run.wait_reason?.startsWith('queued')) return run.wait_reason
  if (verb !== 'retry') return null
  if (run.saga_state === 'COMPENSATING') return w.not.undoing
  if (run.saga_state === 'COMPENSATED') return w.not.undone
  if (run.saga_state === 'COMPENSATION_FAILED') return null
  const failed = ['FAILED', 'CANCELLED', 'UPSTREAM_FAILED'].reduce((sum, state) => sum + (run.counts[state] ?? 0), 0)
  return failed === 0 ? w.not.nothing : null
}

/** What runs can be terminated; a failed row can be retried or skipped; a task of a workflow that has ended can run again with all behind it. */
export function taskVerbsOf(task: TaskDetail, run: InstanceItem): TaskVerb[] {
  const isUndone = ['COMPENSATING', 'COMPENSATED', 'COMPENSATION_FAILED'].includes(run.saga_state ?? '')
  if (run.state === 'READY' || (isUndone && task.kind !== 'compensation')) return []
  const alone = task.map_index === null && task.kind !== 'compensation' && task.kind !== 'spawned'
  const verbs: TaskVerb[] = []
  if (['RESERVED', 'RUNNING'].includes(task.state) && task.kind !== 'compensation') verbs.push('terminate')
  if (task.state === 'FAILED' || task.state === 'CANCELLED') verbs.push('retry')
  if (alone && ['FAILED', 'PENDING', 'READY', 'HELD'].includes(task.state)) verbs.push('skip')
  if (alone && run.workflow !== null && ENDED.has(task.state) && ENDED.has(run.state)) verbs.push('rerun')
  return verbs
}
