// What the page of a run is told of one task.
import type { AttemptItem, LineItem, TaskItem } from '../../api/types'

export interface TaskDetail extends TaskItem {
  params: unknown
  output: unknown
  attempts: AttemptItem[]
  logs: LineItem[]
  child_instance_id?: number | null
}
