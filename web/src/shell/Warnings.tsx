// Bars above every page: another tenant, no daemon, read-only, an upgraded server.
import { Building2, TriangleAlert } from 'lucide-react'
import { useEffect } from 'react'
import { tenant } from '../api/call'
import { useMe } from '../api/me'
import { useOne } from '../api/queries'
import type { Me } from '../api/types'
import { relative } from '../format'
import { pageOf } from '../tenant'
import { Button } from '../ui/Button'
import { useCommon, useNow } from '../words'
import { useNotices } from './notices'

let first: string | null = null

export function Warnings() {
  const w = useCommon()
  const me = useMe()
  const none = useNotices()?.find(({ kind }) => kind === 'no_daemon')
  const now = useOne<Me>('/me', {}, { every: 60_000 })
  useEffect(() => void (first ??= me.version), [me.version])
  return (
    <>
      {tenant !== '' && (
        <div className="warning" role="status"><Building2 aria-hidden size={16} /><span>{w.bar.otherTenant} <strong>{me.tenant}</strong></span> <a href={pageOf('', '/')}>{w.top.ownTenant}</a></div>
      )}
      {none && (
        <div className="warning" role="status"><TriangleAlert aria-hidden size={16} /><strong>{w.bar.noDaemon}</strong> {none.at && <Since at={none.at} />} {w.bar.noDaemonDo} <code>qflowd run</code></div>
      )}
      {me.read_only && <div className="warning" role="status"><TriangleAlert aria-hidden size={16} />{w.bar.readOnly}</div>}
      {first && now.data && now.data.version !== first && (
        <div className="warning" role="status"><TriangleAlert aria-hidden size={16} />{w.bar.newer} <Button onClick={() => location.reload()}>{w.do.reload}</Button></div>
      )}
    </>
  )
}

function Since({ at }: { at: string }) {
  const w = useCommon()
  return <>{w.bar.noDaemonSince(relative(at, useNow(), w))}</>
}
