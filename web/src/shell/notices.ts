// What waits for a person, and what of it they have read in this browser. What happens again has another id, so it is unread.
import { useMe } from '../api/me'
import { useOne } from '../api/queries'
import { useKept } from '../ui/useKept'

export interface Notice {
  id: string
  kind: 'failure' | 'late' | 'approval' | 'file' | 'horizon' | 'token' | 'no_daemon'
  subject: string
  detail: string | null
  count: number
  at: string | null
  link: string
}

export const useNotices = () => useOne<Notice[]>('/notifications', {}, { topic: 'notifications', every: 15_000 }).data

export function useReadNotices(notices: readonly Notice[]) {
  const { principal, tenant } = useMe()
  const [read, keep] = useKept<string[]>(`read.${tenant}.${principal}`, [])
  const isRead = ({ id }: Notice) => read.includes(id)
  // Of what is gone nothing is kept.
  const mark = (more: readonly Notice[]) => keep(notices.filter((one) => isRead(one) || more.includes(one)).map(({ id }) => id))
  return { isRead, mark }
}
