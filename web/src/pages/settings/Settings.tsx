// How it looks, in which language and zone, and who you are.
import { useState } from 'react'
import { useMe } from '../../api/me'
import { absolute } from '../../format'
import { useSettings } from '../../settings'
import { choose } from '../../shell/Choices'
import { Button } from '../../ui/Button'
import { Head, Panel } from '../../ui/Panel'
import { useCommon, useNow, useWords } from '../../words'
import { words } from './words'
import { Password } from './Password'
import './settings.css'

export default function Settings() {
  const w = useWords(words)
  const common = useCommon()
  const me = useMe()
  const { lang, theme, density } = useSettings()
  return (
    <>
      <Head title={w.title} name={w.title} />
      <div className="settings stack">
        <Panel title={w.look}>
          <dl>
            <dt>{w.language}</dt>
            <dd><Choice chosen={lang} options={[['en', 'English'], ['zh', '中文']]} choose={(x) => choose({ lang: x })} /></dd>
            <dt>{w.zone}</dt>
            <dd><Zone /></dd>
            <dt>{w.theme}</dt>
            <dd><Choice chosen={theme} options={[['system', common.theme.system], ['light', common.theme.light], ['dark', common.theme.dark]]} choose={(x) => choose({ theme: x })} /></dd>
            <dt>{w.density}</dt>
            <dd><Choice chosen={density} options={[['dense', w.dense], ['roomy', w.roomy]]} choose={(x) => choose({ density: x })} /></dd>
          </dl>
          <p className="muted">{w.follows}</p>
        </Panel>
        <Panel title={w.person}>
          <dl>
            <dt>{w.name}</dt><dd>{me.principal} <span className="muted">{w.kinds[me.kind] ?? me.kind}</span></dd>
            <dt>{w.role}</dt><dd>{me.role}</dd>
            <dt>{w.tenant}</dt><dd>{me.tenant}</dd>
            {me.kind === 'human' && <><dt>{w.password}</dt><dd><Password has={me.has_password} /></dd></>}
            <dt>{w.version}</dt><dd>qflowd {me.version}</dd>
          </dl>
        </Panel>
      </div>
    </>
  )
}

function Choice<T extends string>({ chosen, options, choose: act }: { chosen: T; options: [T, string][]; choose: (value: T) => void }) {
  return <span className="row choice">{options.map(([value, word]) => <Button key={value} aria-pressed={value === chosen} onClick={() => act(value)}>{word}</Button>)}</span>
}

function Zone() {
  const w = useWords(words)
  const common = useCommon()
  const { zone } = useSettings()
  const now = useNow()
  const [typed, setTyped] = useState(zone === 'browser' || zone === 'UTC' ? '' : zone)
  const [bad, setBad] = useState(false)
  const take = (value: string) => {
    setTyped(value)
    const known = isZone(value)
    setBad(value !== '' && !known)
    if (known) choose({ zone: value })
  }
  return (
    <div className="stack">
      <span className="row choice">
        <Button aria-pressed={zone === 'browser'} onClick={() => { choose({ zone: 'browser' }); setTyped('') }}>{common.zone.browser}</Button>
        <Button aria-pressed={zone === 'UTC'} onClick={() => { choose({ zone: 'UTC' }); setTyped('') }}>{common.zone.utc}</Button>
        <input className="input" list="zones" aria-label={w.zoneOther} placeholder={w.zoneOther} value={typed} aria-invalid={bad} onChange={(event) => take(event.target.value)} />
        <datalist id="zones">{Intl.supportedValuesOf('timeZone').map((name) => <option key={name} value={name} />)}</datalist>
      </span>
      <span className="muted">{bad ? w.unknownZone : `${w.example} ${absolute(new Date(now).toISOString(), zone)}`}</span>
    </div>
  )
}

function isZone(name: string): boolean {
  try {
    return name !== '' && Boolean(Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}
