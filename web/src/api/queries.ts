// How a page asks and changes: `useOne`, `useList`, `useAction`. No page calls `fetch`.
import { keepPreviousData, QueryClient, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { ApiProblem, call, change, isPassing, json, type Ask, type Query, type Reply } from './call'
import { followStream, topicOf, type TopicOf } from './follow'
import { isCarried, useTopic } from './stream'
import type { Page } from './types'

const FOCUSED_MS = 5_000

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      // Nobody looks at a hidden tab, so nothing is asked there; refusals are not repeated.
      refetchIntervalInBackground: false,
      refetchOnWindowFocus: true,
      staleTime: 1_000,
      retry: (failures, error) => failures < 2 && isPassing(error),
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})
followStream(client)

interface Options {
  /** The topic of the stream that tells of changes; while the stream carries it, nothing is asked again. */
  topic?: TopicOf
  /** Asked again every so many milliseconds while somebody looks and no stream tells of changes; `false`: once. */
  every?: number | false
  /** As often also while the stream tells: of what it does not tell. */
  also?: number
  enabled?: boolean
  /** Keep what was shown while the next answer is on its way (a filter changed). */
  keep?: boolean
}

/** How long until a query is asked again by itself. */
export const pause = (every: number | false, topic?: TopicOf, also: number | false = false) => (query: { state: { error: unknown; data?: unknown } }) => {
  const { error, data } = query.state
  const refused = error instanceof ApiProblem && (error.code === 40301 || Math.floor(error.code / 100) === 401)
  if (refused) return false
  if (error === null) return isCarried(topicOf(topic, data)) ? also : every
  // Also what is asked once is asked again if it could not be answered.
  return every || (isPassing(error) && FOCUSED_MS)
}

/** One object, or one page-shaped answer. `error` stands beside old `data` if a later look failed. */
export function useOne<T>(path: string | null, query: Query = {}, options: Options = {}) {
  const found = useQuery<T, ApiProblem>({
    queryKey: [path, query],
    queryFn: async ({ signal }) => (await call<T>(path!, { query, signal })).data,
    enabled: path !== null && options.enabled !== false,
    refetchInterval: pause(options.every ?? FOCUSED_MS, options.topic, options.also),
    placeholderData: options.keep ? keepPreviousData : undefined,
    meta: { topic: options.topic },
  })
  useTopic(topicOf(options.topic, found.data))
  return found
}

/** One object with its ETag, for a change that must meet what was read. */
export function useTagged<T>(path: string) {
  return useQuery<{ data: T; etag: string | null }, ApiProblem>({
    queryKey: [path, 'tagged'],
    queryFn: async ({ signal }) => {
      const { data, etag } = await call<T>(path, { signal })
      return { data, etag }
    },
    refetchInterval: pause(15_000),
  })
}

/** A document outside the envelope; it does not change while the server runs. */
export function useDocument<T>(path: string) {
  return useQuery<T, ApiProblem>({ queryKey: [path, 'document'], queryFn: ({ signal }) => json<T>(path, signal), staleTime: Infinity })
}

/** A keyset list: `items` of all pages read so far, `more()` reads the next. */
export function useList<T>(path: string | null, query: Query = {}, options: Options = {}) {
  const found = useInfiniteQuery({
    queryKey: [path, query, 'list'],
    queryFn: async ({ signal, pageParam }) => (await call<Page<T>>(path!, { query: { ...query, cursor: pageParam }, signal })).data,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    enabled: path !== null && options.enabled !== false,
    // Every page is asked again, so the more of them, the less often.
    refetchInterval: (query) => {
      const every = pause(options.every ?? FOCUSED_MS, options.topic, options.also)(query)
      return every && every * Math.max(1, query.state.data?.pages.length ?? 1)
    },
    placeholderData: options.keep ? keepPreviousData : undefined,
    meta: { topic: options.topic },
  })
  useTopic(topicOf(options.topic, found.data))
  const items = found.data?.pages.flatMap((page) => page.items)
  // Where no index finds what is asked for, the server looks for a moment only: a page may be empty although there are more.
  const isLooking = items?.length === 0 && found.hasNextPage && !found.isError
  const { isFetching, fetchNextPage } = found
  useEffect(() => {
    if (isLooking && !isFetching) void fetchNextPage()
  }, [isLooking, isFetching, fetchNextPage])
  return {
    items: isLooking ? undefined : items,
    total: found.data?.pages[0]?.total ?? null,
    bounded: found.data?.pages[0]?.more ?? false,
    error: found.error as ApiProblem | null,
    pending: found.isPending || isLooking,
    more: found.hasNextPage ? () => void found.fetchNextPage() : null,
    loadingMore: found.isFetchingNextPage,
    again: () => void found.refetch(),
    at: found.dataUpdatedAt,
  }
}

export interface Action extends Ask {
  path: string
}

/** A change. What was read is asked again afterwards, so the page shows what is. */
export function useAction<T = unknown>(done?: (reply: Reply<T>) => void) {
  const known = useQueryClient()
  return useMutation<Reply<T>, ApiProblem, Action>({
    mutationFn: ({ path, ...ask }) => change<T>(path, ask),
    onSuccess: (reply) => {
      void known.invalidateQueries()
      done?.(reply)
    },
  })
}
