// The run that has produced a version, and the task in it.
import { Link } from 'wouter'
import type { DatasetItem } from './datasets'

export const By = ({ of: one }: { of: DatasetItem }) => (
  <span className="dataset-name"><Link href={`/instances/${one.instance_id}`}>#{one.instance_id}</Link> <span className="muted">{one.workflow} › {one.task}</span></span>
)
