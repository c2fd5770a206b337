// The table of pages: a page is one line here, one in `loads.ts`, and one folder in `pages/`.
import { Boxes, CalendarClock, CalendarDays, CalendarRange, CircleAlert, ClockAlert, Code, Database, Gauge, KeyRound, LayoutDashboard, ListChecks, Plug, Puzzle, ScrollText, Server, Settings as Cog, UserCheck, Workflow as Flow, type LucideIcon } from 'lucide-react'
import type { Me } from './api/types'
import type { loads } from './loads'
import type { Words } from './words/en'

export interface PageLine {
  /** wouter's pattern; parameters arrive as props: `({ id }: { id: string })`. */
  path: keyof typeof loads
  /** In the left bar: its word, its sign, the letter after `g`; not shown to who is below the role that it needs. */
  bar?: { word: keyof Words['nav']; icon: LucideIcon; go?: string; below?: boolean; need?: Me['role'] }
}

export const pages: PageLine[] = [
  { path: '/', bar: { word: 'today', icon: LayoutDashboard, go: 't' } },
  { path: '/workflows', bar: { word: 'workflows', icon: Flow, go: 'w' } },
  { path: '/workflows/:id' },
  { path: '/workflows/:id/versions/:version/edit' },
  { path: '/instances', bar: { word: 'runs', icon: ListChecks, go: 'i' } },
  { path: '/instances/:id' },
  { path: '/failures', bar: { word: 'failures', icon: CircleAlert, go: 'f' } },
  { path: '/late', bar: { word: 'late', icon: ClockAlert, go: 'o' } },
  { path: '/approvals', bar: { word: 'approvals', icon: UserCheck, go: 'p' } },
  { path: '/schedules', bar: { word: 'schedules', icon: CalendarClock, go: 's' } },
  { path: '/backfills', bar: { word: 'backfills', icon: CalendarRange, go: 'b' } },
  { path: '/datasets', bar: { word: 'datasets', icon: Database, go: 'v' } },
  { path: '/jobs', bar: { word: 'jobs', icon: Plug, go: 'j' } },
  { path: '/daemons', bar: { word: 'daemons', icon: Server, go: 'd' } },
  { path: '/limits', bar: { word: 'limits', icon: Gauge, go: 'l' } },
  { path: '/types', bar: { word: 'types', icon: Boxes, go: 'y', below: true } },
  { path: '/definitions', bar: { word: 'definitions', icon: Puzzle, go: 'n', below: true } },
  { path: '/calendars', bar: { word: 'calendars', icon: CalendarDays, go: 'k', below: true } },
  { path: '/audit', bar: { word: 'audit', icon: ScrollText, go: 'u', below: true, need: 'admin' } },
  { path: '/access', bar: { word: 'access', icon: KeyRound, go: 'c', below: true } },
  { path: '/reference', bar: { word: 'api', icon: Code, go: 'a', below: true } },
  { path: '/settings', bar: { word: 'settings', icon: Cog, go: ',', below: true } },
]
