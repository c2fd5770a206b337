// What this page needs of a run beyond the shared shapes.
import type { Attempt, Instance, LogLine, TaskItem } from '../../api/types'

export interface RunDetail extends Omit<Instance, 'parent_instance'> {
  parent_instance: { instance_id: number; task_id: string | null } | null
}

export interface TaskDetail extends TaskItem {
  params: unknown
  output: unknown
  attempts: Attempt[]
  logs: LogLine[]
  child_instance_id?: number | null
}
