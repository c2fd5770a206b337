// What the list of workflows and a workflow's own page are told.
export interface RunInShort {
  id: number
  state: string
  business_date: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
  duration_s: number | null
}

export interface WorkflowItem {
  workflow: string
  title: string
  description: string
  domain: string
  type: string
  tags: string[]
  enabled: boolean
  version: number | null
  canary_version: number | null
  canary_share: number | null
  source: string | null
  file: string | null
  error: string | null
  warning: string | null
  wait_reason: string | null
  updated_at: string
  archived_at: string | null
  runs: RunInShort[]
  open: number
  next_fire_at: string | null
}

/** A person has paused all of it. That one of its tasks is paused begins with the task. */
export const isPaused = (of: Pick<WorkflowItem, 'wait_reason'>) => /^paused (by|since) /.test(of.wait_reason ?? '')

export interface ScheduleInShort {
  name: string
  times: string
  calendar: string
  timezone: string
  enabled: boolean
  next_fire_at: string | null
  last_fire_at: string | null
  wait_reason: string | null
  set_by: string | null
  file_says: string | null
}

export interface WorkflowDetail extends WorkflowItem {
  id: number
  hash: string | null
  created_at: string
  default_pool: string | null
  schedules: ScheduleInShort[]
}
