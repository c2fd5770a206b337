// The table of pages: a page is one line here and one folder in `pages/`. Pages are loaded when they are first opened.
import { Boxes, CalendarClock, CircleAlert, Code, Gauge, KeyRound, LayoutDashboard, ListChecks, Plug, Puzzle, ScrollText, Server, Settings as Cog, Workflow as Flow, type LucideIcon } from 'lucide-react'
import { lazy, type ComponentType, type LazyExoticComponent } from 'react'
import type { Me } from './api/types'
import type { Words } from './words/en'

export interface PageLine {
  /** wouter's pattern; parameters arrive as props: `({ id }: { id: string })`. */
  path: string
  page: LazyExoticComponent<ComponentType<any>>
  /** In the left bar: its word, its sign, the letter after `g`; not shown to who is below the role that it needs. */
  bar?: { word: keyof Words['nav']; icon: LucideIcon; go?: string; below?: boolean; need?: Me['role'] }
}

export const pages: PageLine[] = [
  { path: '/', page: lazy(() => import('./pages/today/Today')), bar: { word: 'today', icon: LayoutDashboard, go: 't' } },
  { path: '/workflows', page: lazy(() => import('./pages/workflows/Workflows')), bar: { word: 'workflows', icon: Flow, go: 'w' } },
  { path: '/workflows/:id', page: lazy(() => import('./pages/workflow/Workflow')) },
  { path: '/workflows/:id/versions/:version/edit', page: lazy(() => import('./pages/editor/Editor')) },
  { path: '/instances', page: lazy(() => import('./pages/runs/Runs')), bar: { word: 'runs', icon: ListChecks, go: 'i' } },
  { path: '/instances/:id', page: lazy(() => import('./pages/run/Run')) },
  { path: '/failures', page: lazy(() => import('./pages/failures/Failures')), bar: { word: 'failures', icon: CircleAlert, go: 'f' } },
  { path: '/schedules', page: lazy(() => import('./pages/schedules/Schedules')), bar: { word: 'schedules', icon: CalendarClock, go: 's' } },
  { path: '/jobs', page: lazy(() => import('./pages/jobs/Jobs')), bar: { word: 'jobs', icon: Plug, go: 'j' } },
  { path: '/daemons', page: lazy(() => import('./pages/daemons/Daemons')), bar: { word: 'daemons', icon: Server, go: 'd' } },
  { path: '/limits', page: lazy(() => import('./pages/limits/Limits')), bar: { word: 'limits', icon: Gauge, go: 'l' } },
  { path: '/types', page: lazy(() => import('./pages/definitions/Types')), bar: { word: 'types', icon: Boxes, go: 'y', below: true } },
  { path: '/definitions', page: lazy(() => import('./pages/definitions/Definitions')), bar: { word: 'definitions', icon: Puzzle, go: 'n', below: true } },
  { path: '/audit', page: lazy(() => import('./pages/audit/Audit')), bar: { word: 'audit', icon: ScrollText, go: 'u', below: true, need: 'admin' } },
  { path: '/access', page: lazy(() => import('./pages/access/Access')), bar: { word: 'access', icon: KeyRound, go: 'c', below: true } },
  { path: '/reference', page: lazy(() => import('./pages/api/Api')), bar: { word: 'api', icon: Code, go: 'a', below: true } },
  { path: '/settings', page: lazy(() => import('./pages/settings/Settings')), bar: { word: 'settings', icon: Cog, go: ',', below: true } },
]
