// Zone, language, theme and person: the right end of the top line.
import { Building2, Clock, Contrast, Languages, LogOut, Undo2, UserRound } from 'lucide-react'
import { useLocation } from 'wouter'
import { call, tenant } from '../api/call'
import { useMe } from '../api/me'
import { zoneName } from '../format'
import { pages } from '../pages'
import { settings, useSettings, type Settings } from '../settings'
import { pageOf } from '../tenant'
import { Menu } from '../ui/Menu'
import { useCommon } from '../words'

const ZONES = ['browser', 'UTC', 'Asia/Shanghai', 'Asia/Hong_Kong', 'Asia/Tokyo', 'Europe/London', 'America/New_York']

/** Kept here and with the person, so that it follows to other computers. No zone of one's own is null there. */
export function choose(change: Partial<Pick<Settings, 'lang' | 'zone' | 'theme' | 'density'>>) {
  settings.set(change)
  const body = change.zone === 'browser' ? { ...change, zone: null } : change
  void call('/me', { method: 'PUT', body }).catch(() => undefined)
}

export function Choices() {
  const w = useCommon()
  const { zone, lang, theme } = useSettings()
  const me = useMe()
  const city = zoneName(zone).replace(/^.*\//, '').replace('_', ' ')
  const named = w.zone.city[city]
  const zones = ZONES.includes(zone) ? ZONES : [...ZONES, zone]
  return (
    <>
      <Tenants />
      <span className="wide-only">
        <Menu
          title={`${w.top.zone}: ${named ? `${named} (${zoneName(zone)})` : zoneName(zone)}`} icon={Clock} look="bare" label={named ?? city}
          items={zones.map((z) => ({ word: z === 'browser' ? `${w.zone.browser} (${zoneName(z)})` : z, chosen: z === zone, act: () => choose({ zone: z }) }))}
        />
      </span>
      <Menu
        title={w.top.language} icon={Languages} look="bare"
        items={[{ word: 'English', chosen: lang === 'en', act: () => choose({ lang: 'en' }) }, { word: '中文', chosen: lang === 'zh', act: () => choose({ lang: 'zh' }) }]}
      />
      <Menu
        title={w.top.theme} icon={Contrast} look="bare"
        items={(['system', 'light', 'dark'] as const).map((t) => ({ word: w.theme[t], chosen: t === theme, act: () => choose({ theme: t }) }))}
      />
      <Menu
        title={`${w.top.person}: ${me.principal} (${me.role}, ${w.top.tenant} ${me.tenant})`} icon={UserRound} look="bare"
        items={[
          { word: <>{me.principal} <span className="muted">{me.role} · {me.tenant}</span></>, disabled: true, act: () => undefined },
          { word: w.top.signOut, icon: LogOut, act: () => void call('/logout', { method: 'POST' }).finally(() => location.reload()) },
        ]}
      />
    </>
  )
}

/** Of who may look at several. What is open may not be there in another one, so its section is. */
function Tenants() {
  const w = useCommon()
  const me = useMe()
  const [at] = useLocation()
  const names = [...new Set([...(me.tenants ?? []), me.tenant])].sort()
  if (names.length < 2 && tenant === '') return null
  const section = pages.find(({ path, bar }) => bar && path !== '/' && at.startsWith(path))?.path ?? '/'
  const visit = (name: string) => location.assign(pageOf(name, section))
  return (
    <span className="tenants" data-other={tenant !== '' || undefined}>
      <Menu
        title={`${w.top.tenant}: ${me.tenant}`} icon={Building2} look="bare" label={me.tenant}
        items={[
          ...names.map((name) => ({ word: name, chosen: name === me.tenant, act: () => visit(name) })),
          ...(tenant !== '' ? [{ word: w.top.ownTenant, icon: Undo2, act: () => visit('') }] : []),
        ]}
      />
    </span>
  )
}
