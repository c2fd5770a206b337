// The code of each page, loaded when it is first opened, and what the page asks first: of the first page, both begin at once.
import type { ComponentType } from 'react'
import { askAhead } from './api/ahead'
import { basePath, root, type Query } from './api/where'

export interface Load {
  code: () => Promise<{ default: ComponentType<any> }>
  /** Exactly what the page will ask; whatever it does not ask is asked in vain. */
  first?: (id: string, search: URLSearchParams) => [path: string, query?: Query][]
}

export const loads = {
  '/': { code: () => import('./pages/today/Today'), first: () => [['/overview']] },
  '/workflows': { code: () => import('./pages/workflows/Workflows') },
  '/workflows/:id': { code: () => import('./pages/workflow/Workflow') },
  '/workflows/:id/versions/:version/edit': { code: () => import('./pages/editor/Editor') },
  '/instances': { code: () => import('./pages/runs/Runs') },
  '/instances/:id': { code: () => import('./pages/run/Run'), first: ofRun },
  '/failures': { code: () => import('./pages/failures/Failures') },
  '/late': { code: () => import('./pages/late/Late') },
  '/approvals': { code: () => import('./pages/approvals/Approvals') },
  '/schedules': { code: () => import('./pages/schedules/Schedules') },
  '/backfills': { code: () => import('./pages/backfills/Backfills') },
  '/datasets': { code: () => import('./pages/datasets/Datasets') },
  '/jobs': { code: () => import('./pages/jobs/Jobs') },
  '/daemons': { code: () => import('./pages/daemons/Daemons') },
  '/limits': { code: () => import('./pages/limits/Limits') },
  '/types': { code: () => import('./pages/definitions/Types') },
  '/definitions': { code: () => import('./pages/definitions/Definitions') },
  '/calendars': { code: () => import('./pages/calendars/Calendars'), first: () => [['/calendars']] },
  '/audit': { code: () => import('./pages/audit/Audit') },
  '/access': { code: () => import('./pages/access/Access') },
  '/reference': { code: () => import('./pages/api/Api') },
  '/settings': { code: () => import('./pages/settings/Settings') },
} satisfies Record<string, Load>

const AGAIN_MS = 1_000
const ready = new Map<Load, ComponentType<any>>()

/** The page, if its code is here. */
export const codeOf = (load: Load) => ready.get(load)

/** Where the server is away, the page is opened anew once it is back. Rejects for what it has no more, as after an update. */
export async function loadPage(load: Load) {
  try {
    ready.set(load, (await load.code()).default)
  } catch (error) {
    if (await isServerThere()) throw error
    do await new Promise((again) => setTimeout(again, AGAIN_MS))
    while (!(await isServerThere()))
    // Asking again for the code would not do: a browser remembers that a module has failed.
    location.reload()
  }
}

const isServerThere = () => fetch(new URL('healthz', root)).then((reply) => reply.ok, () => false)

/** Begins to load the page that stands in the address, and to ask what it asks. */
export function begin() {
  // A code that signs somebody in comes first.
  const isKnown = !new URLSearchParams(location.hash.slice(1)).has('code')
  if (isKnown) askAhead('/me')
  const path = location.pathname.slice(basePath.length) || '/'
  for (const [pattern, load] of Object.entries<Load>(loads)) {
    const found = new RegExp(`^${pattern.replace(/:\w+/g, '([^/]+)')}$`).exec(path)
    if (!found) continue
    // A database takes longer than a file.
    if (isKnown) for (const [asked, query] of load.first?.(found[1] ?? '', new URLSearchParams(location.search)) ?? []) askAhead(asked, query)
    loadPage(load).catch(() => undefined)
    return
  }
}

function ofRun(id: string, search: URLSearchParams): [string, Query?][] {
  const run = `/instances/${id}`
  const tab = search.get('tab') ?? 'graph'
  const [node, line] = [search.get('node'), search.get('line')]
  if (tab === 'graph') return [[run], [`${run}/graph`, search.get('all') ? { fold: 'none' } : {}]]
  if (tab === 'log' && !line) return [[run], [`${run}/log`, { tail: 500 }]]
  if (tab === 'tasks' && !search.get('state') && !search.get('q')) return [[run], [`${run}/tasks`, { from: 0, limit: 200, node }]]
  return [[run]]
}
