// What a person has chosen: language, zone, theme, density. Kept in this browser; language and zone also on the principal.
import { useSyncExternalStore } from 'react'

export interface Settings {
  lang: 'en' | 'zh'
  /** `browser`, `UTC`, or a name such as `Asia/Shanghai`. */
  zone: string
  theme: 'system' | 'light' | 'dark'
  density: 'dense' | 'roomy'
  folded: boolean
}

const place = 'qflowd.settings'
const initial: Settings = {
  lang: navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en',
  zone: 'browser',
  theme: 'system',
  density: 'dense',
  folded: false,
}

function load(): Settings {
  try {
    return { ...initial, ...JSON.parse(localStorage.getItem(place) ?? '{}') }
  } catch {
    return initial
  }
}

let present = load()
const ears = new Set<() => void>()

function show() {
  const root = document.documentElement
  root.lang = present.lang === 'zh' ? 'zh-CN' : 'en'
  root.dataset.theme = present.theme
  root.dataset.density = present.density
}
show()

export const settings = {
  get: () => present,
  set(change: Partial<Settings>) {
    present = { ...present, ...change }
    try {
      localStorage.setItem(place, JSON.stringify(present))
    } catch {
      // A browser that keeps nothing still shows everything.
    }
    show()
    for (const ear of ears) ear()
  },
  subscribe(ear: () => void) {
    ears.add(ear)
    return () => void ears.delete(ear)
  },
}

export const useSettings = () => useSyncExternalStore(settings.subscribe, settings.get)
