// What a dataset, its versions and their uses are, and how what a task returned is said in a line. Pure.
import { count } from '../../format'

export interface DatasetItem {
  id: number
  name: string
  series: string
  version: number
  is_latest: boolean
  recorded_at: string
  instance_id: number
  workflow: string
  task: string
  business_date: string | null
  metadata: unknown
  stale_uses: number
}

export interface DatasetUseItem {
  task_id: string
  instance_id: number
  workflow: string
  task: string
  business_date: string | null
  name: string
  version: number
  latest_version: number
  used_at: string
  is_stale: boolean
}

const FACTS = 4
const MOST_STALE = 500 // the server counts one more at most

/** `500+`, where more uses are stale than are counted. */
export const staleUses = ({ stale_uses: uses }: Pick<DatasetItem, 'stale_uses'>) => (uses > MOST_STALE ? `${count(MOST_STALE)}+` : count(uses))

/** `rows 5,412 · market CN`: the facts of an object, without those that hold others; of anything else, its JSON. */
export function told(metadata: unknown): string {
  if (metadata === null || metadata === undefined) return ''
  if (typeof metadata !== 'object' || Array.isArray(metadata)) return valueOf(metadata)
  const plain = Object.entries(metadata).filter(([, value]) => typeof value !== 'object')
  return plain.length === 0 ? valueOf(metadata) : plain.slice(0, FACTS).map(([name, value]) => `${name} ${valueOf(value)}`).join(' · ')
}

const valueOf = (value: unknown) => (typeof value === 'number' ? count(value) : typeof value === 'string' ? value : JSON.stringify(value))
