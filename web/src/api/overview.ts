// The shape of what Today asks, and of its parts.
import type { Counts, InstanceItem } from './types'

export interface FailingTask {
  workflow: string | null
  task: string
  error_class: string | null
  error: string | null
  count: number
  first_at: string | null
  newest_at: string | null
  instance_id: number
  task_id: string
  business_date: string | null
}

export interface DaemonItem {
  id: number
  name: string
  host: string | null
  pid: number | null
  state: string
  version: string
  started_at: string
  busy: number | null
  slots: number | null
  memory_mb: number | null
  seen_at: string | null
  jobs: number
  faulty_files: number
}

export interface NextFire {
  workflow: string
  schedule: string
  at: string
}

export interface DueDate {
  workflow: string
  business_date: string
  expected_at: string
  is_late: boolean
  state: string | null
  instance_id: number | null
  progress: number | null
}

export interface Overview {
  states: Counts
  failing: FailingTask[]
  failures: number
  more_failures: boolean
  due: DueDate[]
  running: InstanceItem[]
  fires: NextFire[]
  daemons: DaemonItem[]
  oldest_ready_s: number | null
  faulty_files: { file: string; error: string }[]
  now: string
}
