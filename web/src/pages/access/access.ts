// Tokens, people, tenants as the API answers them, and what of them needs a look. Pure.

export interface TokenItem {
  id: string
  principal: string
  note: string | null
  role: string
  workflows: string[]
  jobs: string[]
  networks: string[]
  created_at: string
  created_by: string | null
  expires_at: string
  last_used_at: string | null
  revoked_at: string | null
}

export interface MadeToken {
  id: string
  token: string
  principal: string
  role: string
  expires_at: string
}

export interface SessionItem {
  id: number
  principal: string
  address: string | null
  agent: string | null
  created_at: string
  seen_at: string
  current: boolean
}

export interface PrincipalItem {
  id: number
  name: string
  kind: string
  role: string
  has_password: boolean
  created_at: string
  created_by: string | null
  disabled_at: string | null
}

export interface LoginLink {
  link: string
  expires_at: string
}

export interface TenantItem {
  name: string
  title: string
  state: string
  open_instances: number
  running_tasks: number
  submissions: number
  workflows: number
  log_mb: number
}

export interface QuotaItem {
  name: string
  value: number | string[]
  used: number | null
  set_by: string | null
  updated_at: string
}

export interface TenantDetail extends TenantItem {
  quotas: QuotaItem[]
}

export interface UsageItem {
  day: string
  workflow: string
  instances: number
  tasks: number
  failed: number
  task_s: number
  cpu_s: number
  log_mb: number
}

export const ROLES = ['read', 'submit', 'operate', 'define', 'admin', 'system'] as const
/** The roles that somebody of a role may give. */
export const rolesUpTo = (role: string): readonly string[] => ROLES.slice(0, ROLES.indexOf(role as (typeof ROLES)[number]) + 1)

const DAY = 86_400_000
export const SOON_DAYS = 14

export type Standing = 'good' | 'soon' | 'expired' | 'revoked'
export function standingOf(token: Pick<TokenItem, 'expires_at' | 'revoked_at'>, now: number): Standing {
  if (token.revoked_at !== null) return 'revoked'
  const left = Date.parse(token.expires_at) - now
  return left <= 0 ? 'expired' : left < SOON_DAYS * DAY ? 'soon' : 'good'
}

/** Words that were typed with commas, spaces or line breaks between them. */
export const listed = (text: string): string[] => text.split(/[\s,;]+/).filter(Boolean)

/** The browser and the system that a session's header names; null where it names none that is known. */
export function agentOf(agent: string | null): string | null {
  if (!agent) return null
  const browser = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari'], ['curl/', 'curl'], ['python', 'Python']].find(([mark]) => agent.includes(mark!))?.[1]
  const system = [['Windows', 'Windows'], ['Android', 'Android'], ['iPhone', 'iPhone'], ['Mac OS', 'macOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark!))?.[1]
  return [browser, system].filter(Boolean).join(' · ') || null
}

export const NUMBER_QUOTAS = ['open_instances', 'running_tasks', 'submissions_per_day', 'workflows', 'log_mb_per_day', 'params_kb', 'priority_max'] as const
export const PATTERN_QUOTAS = ['allowed_jobs', 'allowed_pools'] as const
export type QuotaName = (typeof NUMBER_QUOTAS)[number] | (typeof PATTERN_QUOTAS)[number]

/** What was typed as the body of a change: what is empty is no quota. */
export function quotasOf(typed: Partial<Record<QuotaName, string>>): Record<string, number | string[]> {
  const found: Record<string, number | string[]> = {}
  for (const name of NUMBER_QUOTAS) if (typed[name]?.trim()) found[name] = Number(typed[name])
  for (const name of PATTERN_QUOTAS) if (typed[name]?.trim()) found[name] = listed(typed[name]!)
  return found
}

export const typedOf = (quotas: QuotaItem[]) => Object.fromEntries(quotas.map(({ name, value }) => [name, Array.isArray(value) ? value.join(', ') : String(value)])) as Partial<Record<QuotaName, string>>

export type Sum = Omit<UsageItem, 'day' | 'workflow'> & { name: string }

/** Usage added up by workflow (what took longest first) or by day (the newest first). */
export function summed(usage: UsageItem[], by: 'day' | 'workflow'): Sum[] {
  const sums = new Map<string, Sum>()
  for (const one of usage) {
    const sum = sums.get(one[by]) ?? { name: one[by], instances: 0, tasks: 0, failed: 0, task_s: 0, cpu_s: 0, log_mb: 0 }
    for (const field of ['instances', 'tasks', 'failed', 'task_s', 'cpu_s', 'log_mb'] as const) sum[field] += one[field]
    sums.set(one[by], sum)
  }
  return [...sums.values()].sort((a, b) => (by === 'day' ? b.name.localeCompare(a.name) : b.task_s - a.task_s))
}
