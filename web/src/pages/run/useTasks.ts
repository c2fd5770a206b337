// The rows of a run as a list: by place, so that any of them is reached at once; with a filter, in pages one after another.
import { useQueries } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'
import { call, type ApiProblem } from '../../api/call'
import { pause, useList } from '../../api/queries'
import { useTopic } from '../../api/stream'
import type { InstanceDetail, Page, TaskItem } from '../../api/types'
import { ENDED } from '../../ui/states'
import { ordinalOf, topicOfRun } from './ids'

export const PAGE = 200

interface Filter {
  state: string
  node: string
  q: string
}

export interface TaskRows {
  count: number
  at: (index: number) => TaskItem | undefined
  need: (from: number, to: number) => void
  error: ApiProblem | null
  pending: boolean
  again: () => void
}

/** Of a run that has not ended, rows that are seen are kept up to date. */
export function useTasks({ id: run, state }: InstanceDetail, filter: Filter): TaskRows {
  const topic = topicOfRun({ id: run })
  const every = ENDED.has(state) ? (false as const) : 5_000
  const placed = filter.state === '' && filter.q === ''
  const byPlace = usePlaces(run, filter.node, every, placed)
  const listed = useList<TaskItem>(placed ? null : `/instances/${run}/tasks`, { ...filter, limit: PAGE }, { every, also: every || undefined, keep: true, topic })
  const items = listed.items
  const { more, loadingMore } = listed
  const need = useCallback(
    (_: number, to: number) => {
      if (items && to >= items.length - 20 && more && !loadingMore) more()
    },
    [items, more, loadingMore],
  )
  if (placed) return byPlace
  return { count: items?.length ?? 0, at: (index) => items?.[index], need, error: listed.error, pending: listed.pending, again: listed.again }
}

function usePlaces(run: number, node: string, every: number | false, enabled: boolean): TaskRows {
  const topic = topicOfRun({ id: run })
  const [pages, setPages] = useState<readonly number[]>([0])
  const found = useQueries({
    queries: pages.map((page) => ({
      queryKey: [`/instances/${run}/tasks`, { from: page * PAGE, node }],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        (await call<Page<TaskItem>>(`/instances/${run}/tasks`, { query: { from: page * PAGE, limit: PAGE, node }, signal })).data,
      enabled,
      refetchInterval: pause(every, topic, every),
      meta: { topic },
    })),
  })
  useTopic(topic)
  const need = useCallback((from: number, to: number) => {
    const first = Math.floor(from / PAGE)
    const last = Math.floor(Math.max(from, to - 1) / PAGE)
    setPages((old) => (old[0] === first && old.at(-1) === last ? old : Array.from({ length: last - first + 1 }, (_, i) => first + i)))
  }, [])
  const rows = useMemo(() => {
    const at = new Map<number, TaskItem>()
    for (const one of found) for (const task of one.data?.items ?? []) at.set(placeOf(run, node, task), task)
    return at
  }, [found.map((one) => one.dataUpdatedAt).join(), run, node])
  const total = found.find((one) => one.data)?.data?.total
  const [known, setKnown] = useState({ of: '', total: 0 })
  // While a page far away is on its way, the list keeps its length.
  const of = `${run}/${node}`
  if (total != null && (known.total !== total || known.of !== of)) setKnown({ of, total })
  const problem = found.find((one) => one.error)
  return {
    count: known.of === of ? known.total : (total ?? 0),
    at: (index) => rows.get(index),
    need,
    error: (problem?.error as ApiProblem | undefined) ?? null,
    pending: found.some((one) => one.isPending),
    again: () => void problem?.refetch(),
  }
}

/** The place of a row: among all rows of the run, or among the items of a task. */
function placeOf(run: number, node: string, task: TaskItem): number {
  return node === '' ? (ordinalOf(run, task.task_id) ?? 0) : (task.map_index ?? 0)
}
