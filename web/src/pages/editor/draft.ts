// One draft while it is edited: what the server has, what it does not have yet, and what is still being typed.
import { ApiProblem, type Fault } from '../../api/problem'
import type { GraphData } from '../../api/types'
import { applied, requestOf, same, type Doc, type Edit } from './document'
import { readKept, type Door, type DraftState, type Kept, type Saved, type Theirs } from './draftState'
import { done, nothing, redone, undone, type History, type Moment } from './history'
import { holdsAll } from './merge'

export type { DraftState, Saved } from './draftState'

interface Answer {
  hash: string
  faults: Fault[]
  graph: GraphData
  document: Doc
}

export class Draft {
  private state: DraftState
  private readonly ears = new Set<() => void>()
  private busy = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private writes = 0

  constructor(readonly path: string, saved: Saved, private readonly door: Door) {
    const kept = readKept(door.kept.get())
    // What was kept is of the draft as it was then: if that has changed since, the first call says so.
    const base = kept === null ? saved : kept.hash === saved.hash ? saved : { ...saved, hash: kept.hash, document: kept.document, text: null }
    const pending = kept?.pending ?? []
    this.state = {
      saved: base, pending, document: pending.reduce(applied, base.document), typed: kept?.typed ?? {}, status: pending.length > 0 ? 'saving' : 'saved',
      problem: null, refused: null, theirs: null, history: nothing, adopted: 0,
    }
    if (pending.length > 0) void this.pump()
  }

  get = () => this.state

  subscribe = (ear: () => void) => {
    this.ears.add(ear)
    return () => void this.ears.delete(ear)
  }

  /** Change the draft: seen at once, sent when the calls before it are answered. */
  edit(edit: Edit) {
    const { document, history } = this.state
    const after = applied(document, edit)
    if (same(after, document) && edit.kind !== 'text' && !(edit.kind === 'set' && edit.name)) return
    this.put({ history: done(history, this.now()), refused: null })
    this.enqueue(edit, after)
  }

  undo() {
    const step = undone(this.state.history, this.now())
    if (step) this.back(step)
  }

  redo() {
    const step = redone(this.state.history, this.now())
    if (step) this.back(step)
  }

  /** Keep what is being typed; `undefined`: it has become an edit, or is given up. */
  type(field: string, value: unknown) {
    const { [field]: _, ...rest } = this.state.typed
    this.put({ typed: value === undefined ? rest : { ...rest, [field]: value } })
  }

  forgetRefusal() {
    this.put({ refused: null })
  }

  /** Settle a conflict: the draft is to be `document`, over what the other one has made of it. */
  settle(document: Doc) {
    const { theirs, saved } = this.state
    if (!theirs) return
    const pending: Edit[] = same(document, theirs.document) ? [] : [{ kind: 'whole', document }]
    const now: Saved = { ...saved, ...theirs, text: null }
    this.put({ saved: now, pending, document, theirs: null, history: nothing, status: pending.length > 0 ? 'saving' : 'saved' })
    if (pending.length > 0) void this.pump()
    else void this.look()
  }

  /** Try at once what had no connection. */
  again() {
    clearTimeout(this.timer)
    void this.pump()
  }

  /** Has somebody else changed it? Taken over only while nothing here is typed or on its way. */
  async look(): Promise<void> {
    if (!this.isIdle()) return
    const before = this.writes
    try {
      const [version, graph] = await Promise.all([
        this.door.send<{ hash: string; document: Doc; faults: Fault[]; text: string; format: string; as_written: boolean }>(this.path, { method: 'GET' }),
        this.door.send<GraphData>(`${this.path}/graph`, { method: 'GET' }),
      ])
      const isNews = version.data.hash !== this.state.saved.hash || this.state.saved.graph === null
      if (!this.isIdle() || this.writes !== before || !isNews) return
      const isTheirs = !same(version.data.document, this.state.saved.document)
      const saved = { ...version.data, text: version.data.as_written ? version.data.text : null, graph: graph.data }
      this.put({ saved, document: saved.document, ...(isTheirs ? { history: nothing, adopted: this.state.adopted + 1 } : {}) })
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 40401) this.put({ status: 'closed', problem: error })
    }
  }

  private isIdle = () => this.state.pending.length === 0 && Object.keys(this.state.typed).length === 0 && this.state.status === 'saved'

  private now(): Moment {
    const { document, saved, pending } = this.state
    const text = pending.reduce<string | null>((_, edit) => (edit.kind === 'text' ? edit.text : null), saved.text)
    return { document, text, format: saved.text === null ? 'yaml' : saved.format }
  }

  private back({ to, history }: { to: Moment; history: History }) {
    this.put({ history, refused: null })
    this.enqueue(to.text === null ? { kind: 'whole', document: to.document } : { kind: 'text', text: to.text, format: to.format, document: to.document }, to.document)
  }

  private enqueue(edit: Edit, document: Doc) {
    this.put({ pending: [...this.state.pending, edit], document })
    void this.pump()
  }

  /** Sends what is pending, one call after the other. */
  private async pump(): Promise<void> {
    if (this.busy) return
    this.busy = true
    try {
      while (this.state.pending.length > 0 && !['conflict', 'closed'].includes(this.state.status)) {
        const edit = this.state.pending[0]!
        if (this.state.status === 'saved') this.put({ status: 'saving' })
        if (!(await this.sent(edit))) return
      }
    } finally {
      this.busy = false
    }
  }

  private async sent(edit: Edit): Promise<boolean> {
    const { method, path, body } = requestOf(edit)
    this.writes += 1
    try {
      const { data } = await this.door.send<Answer>(this.path + path, { method, body, etag: `"${this.state.saved.hash}"` })
      const pending = this.state.pending.slice(1)
      const text = edit.kind === 'text' ? edit.text : null
      const saved: Saved = { ...data, text, format: edit.kind === 'text' ? edit.format : 'json' }
      this.put({ saved, pending, document: pending.reduce(applied, saved.document), status: pending.length > 0 ? 'saving' : 'saved', problem: null })
      return true
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      return this.failed(edit, error)
    }
  }

  /** Whether to go on with what is pending. */
  private failed(edit: Edit, problem: ApiProblem): boolean {
    const { saved, pending } = this.state
    const isSignedOut = Math.floor(problem.code / 100) === 401
    if (problem.code === 0 || problem.code >= 50000 || problem.code === 42901 || isSignedOut) {
      this.put({ status: 'offline', problem })
      clearTimeout(this.timer)
      // Who is signed out is asked to sign in, and the page tries again when it is back.
      if (!isSignedOut) this.timer = setTimeout(() => void this.pump(), this.door.pause ?? 3_000)
      return false
    }
    if (problem.code === 41201) return this.met((problem.data as { current: Theirs }).current)
    if (problem.code === 40904 || Math.floor(problem.code / 100) === 403 || (problem.code === 40401 && !isOfTask(edit, saved.document))) {
      this.put({ status: 'closed', problem })
      return false
    }
    const rest = pending.slice(1)
    const now = rest.reduce(applied, saved.document)
    // What comes later was made on top of what is refused, so it cannot be undone step by step.
    const history = rest.length > 0 ? nothing : { ...this.state.history, past: this.state.history.past.slice(0, -1) }
    this.put({ pending: rest, document: now, history, refused: { edit, problem }, status: rest.length > 0 ? 'saving' : 'saved' })
    return true
  }

  /** The draft is another one by now. If that is our own doing, whose answer was lost, there is nothing to ask. */
  private met(theirs: Theirs): boolean {
    const { saved, document } = this.state
    if (!holdsAll(saved.document, document, theirs.document)) {
      this.put({ status: 'conflict', theirs })
      return false
    }
    const pending: Edit[] = same(document, theirs.document) ? [] : [{ kind: 'whole', document }]
    this.put({ saved: { ...saved, hash: theirs.hash, document: theirs.document, text: null, graph: null }, pending, status: pending.length > 0 ? 'saving' : 'saved' })
    if (pending.length === 0) void Promise.resolve().then(() => this.look())
    return true
  }

  private put(change: Partial<DraftState>) {
    this.state = { ...this.state, ...change }
    const { saved, pending, typed } = this.state
    const isKept = pending.length > 0 || Object.keys(typed).length > 0
    const kept: Kept = { hash: saved.hash, document: saved.document, pending, typed }
    this.door.kept.set(isKept ? JSON.stringify(kept) : null)
    for (const ear of this.ears) ear()
  }
}

/** A task that the draft does not have is a refused edit; a draft that is not there is its end. */
const isOfTask = (edit: Edit, document: Doc): boolean =>
  edit.kind === 'set' || edit.kind === 'remove' ? !(edit.key in (document.tasks as object ?? {})) : edit.kind === 'edge' || edit.kind === 'unedge'
