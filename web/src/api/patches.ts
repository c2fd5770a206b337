// What an event of the stream changes in what pages have asked for: patched in place, or asked again where it cannot be.
import type { LiveEvent } from './stream'
import type { Overview } from './overview'
import type { Box, Counts, GraphData, InstanceDetail, InstanceItem, Page } from './types'

/** It has to be asked for again. */
export const ASK = Symbol('ask')
const ORDINALS = 1n << 20n

export type Asked = Record<string, unknown>
interface Node { counts: Counts; state: string; task_id: string; started_at: string | null; finished_at: string | null }
export interface InstanceEvent { instance: Partial<InstanceDetail>; counts: Record<string, Counts>; nodes: Record<string, Node>; changed?: number[] | null }
type Rows = { pages: Page<InstanceItem>[]; pageParams: unknown[] }

/** The data with what the event says; the same object if it says nothing of them. A snapshot may know what they do not. */
export function patched(path: string, asked: Asked, data: unknown, event: LiveEvent): unknown {
  const [kind] = event.topic.split(':')
  if (kind === 'overview') return fromOverview(path, data, event.data.overview as Partial<Overview>)
  if (kind === 'notifications') return path === '/notifications' ? event.data.items : data
  if (kind === 'instances') return fromInstances(path, asked, data, event)
  if (kind === 'instance') return fromInstance(path, asked, data, event.data as unknown as InstanceEvent)
  return ASK
}

function fromOverview(path: string, data: unknown, change: Partial<Overview>): unknown {
  if (path === '/overview') return { ...(data as Overview), ...change }
  if (path === '/daemons') return change.daemons ?? data
  if (path.startsWith('/failures')) return change.failing ? ASK : data
  return data
}

function fromInstance(path: string, asked: Asked, data: unknown, event: InstanceEvent): unknown {
  const { changed = [] } = event
  const whole = `/instances/${event.instance.id}`
  if (path === whole) return instanceWith(data as InstanceDetail, event)
  if (path === `${whole}/graph`) return graphWith(data as GraphData, event.nodes)
  if (changed?.length === 0) return data
  if (path.startsWith('/tasks/')) return changed === null || changed.includes(Number(BigInt(path.slice(7)) % ORDINALS)) ? ASK : data
  const from = asked.from
  if (typeof from === 'number' && !asked.node && changed !== null) {
    const rows = (data as Page<unknown>).items.length
    // A row that is new makes the list longer.
    return changed.some((ordinal) => ordinal >= from && ordinal < from + Math.max(rows, 200)) ? ASK : data
  }
  return ASK
}

/** The run with its counts. Which failure comes first is no longer known where there are more of them, or fewer. */
function instanceWith(data: InstanceDetail, event: InstanceEvent): InstanceDetail {
  const counts = summed(event.counts)
  return { ...data, ...event.instance, counts, first_failure: counts.FAILED === data.counts.FAILED ? data.first_failure : undefined }
}

/** The boxes with what their nodes have come to; those of folds count many nodes, which only the server knows. */
function graphWith(data: GraphData, nodes: Record<string, Node>): unknown {
  if (Object.keys(nodes).length === 0) return data
  if (data.folded) return ASK
  return { ...data, boxes: data.boxes.map((box): Box => (nodes[box.node] ? { ...box, ...nodes[box.node] } : box)) }
}

/** Rows that are shown change in place; the list is asked again for rows that may have come or gone. */
function fromInstances(path: string, asked: Asked, data: unknown, event: LiveEvent): unknown {
  const rows = Object.values(event.data.items as Record<string, InstanceItem>)
  if (path !== '/instances') return ASK
  const list = data as Rows
  const news = new Map(rows.map((row) => [row.id, row]))
  const shown = new Map(list.pages.flatMap(({ items }) => items.map((row) => [row.id, row] as const)))
  const isFiltered = Object.entries(asked).some(([name, value]) => name !== 'limit' && value !== '' && value !== null && value !== undefined)
  const newest = Math.max(0, ...shown.keys())
  const moved = rows.some(({ id, state }) => (shown.has(id) ? isFiltered && shown.get(id)!.state !== state : isFiltered || id > newest))
  if (moved) return ASK
  const touched = [...news.values()].some((row) => shown.has(row.id) && !alike(pick(shown.get(row.id)!, row), row))
  if (!touched) return data
  return { ...list, pages: list.pages.map((page) => ({ ...page, items: page.items.map((row) => (news.has(row.id) ? { ...row, ...pick(news.get(row.id)!, row) } : row)) })) }
}

/** The fields of `row` that `like` has, too. */
const pick = <T extends object>(row: T, like: object) => Object.fromEntries(Object.entries(row).filter(([name]) => name in like)) as Partial<T>

export function summed(nodes: Record<string, Counts>): Counts {
  const sum: Counts = {}
  for (const counts of Object.values(nodes)) for (const [state, count] of Object.entries(counts)) sum[state] = (sum[state] ?? 0) + count
  return sum
}

export function alike(one: object, other: object): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every((name) => JSON.stringify((one as Asked)[name]) === JSON.stringify((other as Asked)[name]))
}
