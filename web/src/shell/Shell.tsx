// What stands around every page: the bar on the left, the line on top, the bars that warn.
import { CircleHelp, Menu as Lines, PanelLeftClose, PanelLeftOpen } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { Link, useLocation, useSearchParams } from 'wouter'
import { reaches, useMe } from '../api/me'
import { stepRow, useKeys } from '../keys'
import { pages, type PageLine } from '../pages'
import { settings, useSettings } from '../settings'
import { Button } from '../ui/Button'
import { useCommon } from '../words'
import { Bell } from './Bell'
import { Choices } from './Choices'
import { Help } from './Help'
import { Search } from './Search'
import { Warnings } from './Warnings'
import './shell.css'

export function Shell({ children }: { children: ReactNode }) {
  const w = useCommon()
  const { folded } = useSettings()
  const [at, go] = useLocation()
  const [params] = useSearchParams()
  const [help, setHelp] = useState(false)
  const [drawer, setDrawer] = useState(false)
  const me = useMe()
  const mine = pages.filter((p) => p.bar && reaches(me, p.bar.need ?? 'read'))
  useKeys({
    ...Object.fromEntries(mine.flatMap((p) => (p.bar?.go ? [[`g ${p.bar.go}`, () => go(p.path)]] : []))),
    '?': () => setHelp(true),
    j: () => stepRow(1),
    k: () => stepRow(-1),
  })
  return (
    <div className="shell" data-folded={folded || undefined} data-drawer={drawer || undefined} data-kiosk={params.has('kiosk') || undefined}>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus() }}>{w.nav.skip}</a>
      <nav className="side" aria-label={w.nav.main} onClick={() => setDrawer(false)}>
        <Link href="/" className="brand"><img src="./icon.svg" alt="" width="22" height="22" /><span>{w.app}</span></Link>
        <Entries lines={mine.filter((p) => !p.bar?.below)} at={at} />
        <hr />
        <Entries lines={mine.filter((p) => p.bar?.below)} at={at} />
        <span className="grow" />
        <Button icon={folded ? PanelLeftOpen : PanelLeftClose} look="bare" title={folded ? w.nav.unfold : w.nav.fold} onClick={() => settings.set({ folded: !folded })} />
      </nav>
      <div className="side-shade" onClick={() => setDrawer(false)} />
      <header className="top">
        <span className="narrow-only"><Button icon={Lines} look="bare" title={w.nav.menu} onClick={() => setDrawer(!drawer)} /></span>
        <Search />
        <span className="grow" />
        <Bell />
        <Choices />
        <Button icon={CircleHelp} look="bare" title={w.top.help} onClick={() => setHelp(true)} />
      </header>
      <main id="main" tabIndex={-1}>
        <Warnings />
        {children}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  )
}

function Entries({ lines, at }: { lines: PageLine[]; at: string }) {
  const w = useCommon()
  return (
    <ul>
      {lines.map(({ path, bar }) => {
        const here = path === '/' ? at === '/' : at === path || at.startsWith(`${path}/`)
        const word = w.nav[bar!.word]
        const Icon = bar!.icon
        return (
          <li key={path}>
            <Link href={path} aria-current={here ? 'page' : undefined} title={word}><Icon aria-hidden size={16} strokeWidth={1.9} /><span>{word}</span></Link>
          </li>
        )
      })}
    </ul>
  )
}
