// The table of pages: a page is one line here and one folder in `pages/`. Pages are loaded when they are first opened.
import { LayoutDashboard, type LucideIcon } from 'lucide-react'
import { lazy, type ComponentType, type LazyExoticComponent } from 'react'
import type { Words } from './words/en'

export interface PageLine {
  /** wouter's pattern; parameters arrive as props: `({ id }: { id: string })`. */
  path: string
  page: LazyExoticComponent<ComponentType<any>>
  /** In the left bar: its word, its sign, the letter after `g`. */
  bar?: { word: keyof Words['nav']; icon: LucideIcon; go?: string; below?: boolean }
}

export const pages: PageLine[] = [
  { path: '/', page: lazy(() => import('./pages/today/Today')), bar: { word: 'today', icon: LayoutDashboard, go: 't' } },
]
