// The draft that a page edits: one for each address, which outlives the page, so that going away loses nothing.
import { createContext, use, useEffect, useSyncExternalStore } from 'react'
import { call } from '../../api/call'
import type { GraphData } from '../../api/types'
import type { VersionDetail } from '../workflow/types'
import { Draft, type DraftState, type Saved } from './draft'
import type { Doc } from './document'

/** A version as `GET …/versions/{version}` answers it. */
export interface Version extends VersionDetail {
  document: Doc
}

const LOOK_MS = 10_000
const open = new Map<string, Draft>()

/** The draft of a version that was just read, or as it is known here already. */
export function draftOf(version: Version, graph: GraphData | null): Draft {
  const path = `/workflows/${encodeURIComponent(version.workflow)}/versions/${version.version}`
  const known = open.get(path)
  // One that took no more changes, and has none to keep, may be another draft under its number by now.
  if (known && !(known.get().status === 'closed' && known.get().pending.length === 0)) return known
  const { hash, document, faults, format } = version
  const saved: Saved = { hash, document, faults, graph, format, text: version.as_written ? version.text : null }
  const made = new Draft(path, saved, { send: call, kept: keptAt(`qflowd.draft.${path}`) })
  open.set(path, made)
  return made
}

/** After it was published, removed, or replaced by another one. */
export const forget = (draft: Draft) => void open.delete(draft.path)

function keptAt(place: string) {
  return {
    get: () => {
      try {
        return sessionStorage.getItem(place)
      } catch {
        return null
      }
    },
    set: (text: string | null) => {
      try {
        text === null ? sessionStorage.removeItem(place) : sessionStorage.setItem(place, text)
      } catch {
        // A browser that keeps nothing forgets it with the page.
      }
    },
  }
}

const Present = createContext<Draft | null>(null)
export const DraftProvider = Present.Provider

export function useDraft(): Draft {
  const draft = use(Present)
  if (!draft) throw new Error('no draft is open')
  return draft
}

export const useDraftState = (): DraftState => {
  const draft = useDraft()
  return useSyncExternalStore(draft.subscribe, draft.get)
}

/** What is typed into a field and not an edit yet. */
export function useTyped<T>(field: string): [T | undefined, (value: T | undefined) => void] {
  const draft = useDraft()
  const { typed } = useDraftState()
  return [typed[field] as T | undefined, (value) => draft.type(field, value)]
}

/** While the page is open: looks for changes of others, and tries again when the connection is back. */
export function useWatch(draft: Draft) {
  useEffect(() => {
    if (draft.get().status === 'offline') draft.again()
    else void draft.look()
    const timer = setInterval(() => document.hidden || void draft.look(), LOOK_MS)
    const again = () => draft.again()
    const warn = (event: BeforeUnloadEvent) => {
      if (draft.get().status === 'offline' && draft.get().pending.length > 0) event.preventDefault()
    }
    window.addEventListener('online', again)
    window.addEventListener('beforeunload', warn)
    return () => {
      clearInterval(timer)
      window.removeEventListener('online', again)
      window.removeEventListener('beforeunload', warn)
    }
  }, [draft])
}
