// Bars above every page: no daemon, read-only, an upgraded server.
import { TriangleAlert } from 'lucide-react'
import { useEffect } from 'react'
import { useMe } from '../api/me'
import { useOne } from '../api/queries'
import type { DaemonItem, Me } from '../api/types'
import { Button } from '../ui/Button'
import { useCommon } from '../words'

let first: string | null = null

export function Warnings() {
  const w = useCommon()
  const me = useMe()
  const daemons = useOne<DaemonItem[]>('/daemons', {}, { every: 15_000 })
  const now = useOne<Me>('/me', {}, { every: 60_000 })
  useEffect(() => void (first ??= me.version), [me.version])
  return (
    <>
      {daemons.data?.length === 0 && (
        <div className="warning" role="status"><TriangleAlert aria-hidden size={16} /><strong>{w.bar.noDaemon}</strong> {w.bar.noDaemonDo} <code>qflowd run</code></div>
      )}
      {me.read_only && <div className="warning" role="status"><TriangleAlert aria-hidden size={16} />{w.bar.readOnly}</div>}
      {first && now.data && now.data.version !== first && (
        <div className="warning" role="status"><TriangleAlert aria-hidden size={16} />{w.bar.newer} <Button onClick={() => location.reload()}>{w.do.reload}</Button></div>
      )}
    </>
  )
}
