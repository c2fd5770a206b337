// What is known of a draft while it is edited, and what of it survives a reload.
import type { Ask, Reply } from '../../api/call'
import type { ApiProblem, Fault } from '../../api/problem'
import type { GraphData } from '../../api/types'
import type { Doc, Edit } from './document'
import type { History } from './history'

/** The draft as the server has it. */
export interface Saved {
  hash: string
  document: Doc
  faults: Fault[]
  graph: GraphData | null
  /** As a person wrote it; null: it is made of the document. */
  text: string | null
  format: string
}

export interface Theirs {
  hash: string
  document: Doc
}

/** `closed`: it is edited no more (40904), is gone (40401), or this person may not (403). */
export type Status = 'saved' | 'saving' | 'offline' | 'conflict' | 'closed'

export interface DraftState {
  saved: Saved
  /** With everything that is not sent yet. */
  document: Doc
  pending: Edit[]
  /** What is typed and not an edit yet, by its field; kept over a reload. */
  typed: Record<string, unknown>
  status: Status
  problem: ApiProblem | null
  /** The edit that the server did not take, and why; the draft is without it. */
  refused: { edit: Edit; problem: ApiProblem } | null
  theirs: Theirs | null
  history: History
  /** Somebody else's change was taken over, while nothing was typed here. */
  adopted: number
}

export interface Door {
  send: <T>(path: string, ask: Ask) => Promise<Reply<T>>
  /** Where what is not sent survives a reload. */
  kept: { get: () => string | null; set: (text: string | null) => void }
  /** Milliseconds between two tries without a connection. */
  pause?: number
}

export interface Kept {
  hash: string
  document: Doc
  pending: Edit[]
  typed: Record<string, unknown>
}

/** What was kept; null where there is nothing, or nothing that can be read. */
export function readKept(text: string | null): Kept | null {
  try {
    return text === null ? null : (JSON.parse(text) as Kept)
  } catch {
    return null
  }
}
