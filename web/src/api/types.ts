// The shapes of the API's answers. A test compares their fields with docs/openapi.json.

export type Counts = Record<string, number>

export interface Page<T> {
  items: T[]
  next: string | null
  total?: number | null
  more?: boolean | null
}

export interface Me {
  principal: string
  kind: string
  tenant: string
  role: 'none' | 'read' | 'submit' | 'operate' | 'define' | 'admin' | 'system'
  tenants: string[] | null
  csrf: string | null
  lang: string | null
  zone: string | null
  theme: string | null
  density: string | null
  has_password: boolean
  read_only: boolean
  version: string
}

export interface InstanceItem {
  id: number
  workflow: string | null
  job: string | null
  version: number | null
  name: string | null
  state: string
  reason: string | null
  saga_state: string | null
  trigger_type: string
  business_date: string | null
  priority: number
  progress: number | null
  created_at: string
  started_at: string | null
  finished_at: string | null
  updated_at: string
  duration_s: number | null
  error: string | null
  wait_reason: string | null
  domain: string | null
  tags?: string[] | null
  late_at: string | null
}

export interface InstanceDetail extends InstanceItem {
  params: unknown
  overrides: unknown
  counts: Counts
  /** The task that tells why it failed; left out once others have failed than when it was asked. */
  first_failure?: string | null | undefined
  parent_instance: { instance_id: number; task_id: string | null } | null
  links: Record<string, string>
}

export interface TaskItem {
  task_id: string
  instance_id: number
  workflow: string | null
  task: string
  map_index: number | null
  label: string | null
  kind: string
  job: string | null
  pool: string | null
  state: string
  reason: string | null
  attempt: number
  error: string | null
  daemon: string | null
  ready_at: string | null
  started_at: string | null
  finished_at: string | null
  duration_s: number | null
  wait_reason: string | null
  progress: number | null
  progress_message: string | null
}

export interface AttemptItem {
  id?: string
  attempt: number
  fence: number
  state: string
  reason: string | null
  error: string | null
  traceback?: string | null
  daemon: string | null
  started_at: string | null
  finished_at: string | null
  duration_s: number | null
  cpu_s?: number | null
  peak_memory_mb?: number | null
}

export interface LineItem {
  id: number
  task_id: string
  task: string
  map_index: number | null
  label: string | null
  attempt: number
  at: string
  stream: string
  level: string | null
  logger: string | null
  message: string
  attributes: unknown
}

/** `next`: what comes later begins after it; `prev`: what came earlier, before it; null at the beginning. */
export interface LogPage {
  items: LineItem[]
  next: number | null
  prev: number | null
  first_at: string | null
  lines: number | null
}

export interface Box {
  node: number
  key: string
  title: string | null
  job: string | null
  kind: string
  layer: number
  x: number
  y: number
  width: number
  height: number
  fold?: { count: number; tasks: string[] } | null
  counts?: Counts | null
  state?: string | null
  started_at?: string | null
  finished_at?: string | null
}

export interface GraphEdge {
  /** Keys of boxes. */
  from: string
  to: string
  condition: string | null
  points: [number, number][]
}

export interface GraphData {
  boxes: Box[]
  edges: GraphEdge[]
  width: number
  height: number
  folded: boolean
}

export interface TimelineRow {
  node: number
  key: string
  kind: string
  count: number
  ready_at: string | null
  started_at: string | null
  finished_at: string | null
  bins: number[] | null
  p50_s: number | null
  p95_s: number | null
  state: string
  critical: boolean
}

export interface Timeline {
  from: string
  to: string
  rows: TimelineRow[]
}

export interface GridRow {
  node: number
  key: string
  title: string | null
  kind: string
  depth: number
}

export interface GridColumn {
  id: number
  version: number | null
  state: string
  business_date: string | null
  trigger_type: string
  created_at: string
  started_at: string | null
  finished_at: string | null
  duration_s: number | null
}

/** node, state, count of a map's items, how many of them failed, the task to look at. */
export type GridCell = [number, string, (number | null)?, (number | null)?, (string | null)?]

export interface GridData {
  rows: GridRow[]
  columns: GridColumn[]
  cells: Record<string, GridCell[]>
  before: number | null
}
