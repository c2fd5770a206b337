import { describe, expect, it } from 'vitest'
import type { Ask, Reply } from '../../api/call'
import { ApiProblem } from '../../api/problem'
import { Draft, type Saved } from './draft'
import { applied, type Doc, type Edit } from './document'

const base: Doc = { workflow: 'w', tasks: { a: { job: 'load' } } }
const GRAPH = { boxes: [], edges: [], width: 0, height: 0, folded: false }
const saved = (document: Doc, hash = 'h0'): Saved => ({ hash, document, faults: [], graph: GRAPH, text: null, format: 'json' })
const add = (key: string): Edit => ({ kind: 'add', key, body: { job: 'x' } })
const settled = () => new Promise((done) => setTimeout(done, 5))

/** A server with one draft, which answers as the API does; `down`: it cannot be reached. */
class Server {
  document = base
  hash = 'h0'
  down = false
  asked: string[] = []
  refuse: ApiProblem | null = null
  kept: string | null = null
  door = {
    send: <T>(path: string, ask: Ask) => this.answer(path, ask) as Promise<Reply<T>>,
    kept: { get: () => this.kept, set: (text: string | null) => void (this.kept = text) },
    pause: 1,
  }

  private async answer(path: string, ask: Ask): Promise<unknown> {
    await Promise.resolve()
    if (this.down) throw new ApiProblem(0, '')
    this.asked.push(`${ask.method} ${path}`)
    if (ask.method === 'GET') return { data: path.endsWith('/graph') ? GRAPH : { hash: this.hash, document: this.document, faults: [], text: '', format: 'json', as_written: false } }
    if (this.refuse) {
      const problem = this.refuse
      this.refuse = null
      throw problem
    }
    if (ask.etag !== `"${this.hash}"`) throw new ApiProblem(41201, 'changed', [], null, { current: { hash: this.hash, document: this.document } })
    this.write(editOf(path, ask))
    return { data: { hash: this.hash, document: this.document, faults: [], graph: GRAPH } }
  }

  write(edit: Edit) {
    this.document = applied(this.document, edit)
    this.hash = `h${Number(this.hash.slice(1)) + 1}`
  }
}

function editOf(path: string, ask: Ask): Edit {
  const body = ask.body as { key: string; document: Doc }
  return path.endsWith('/nodes') ? { kind: 'add', key: body.key, body: { job: 'x' } } : { kind: 'whole', document: body.document }
}

const keys = (document: Doc) => Object.keys(document.tasks as object)

describe('a draft', () => {
  it('shows an edit at once, and sends them one after the other with the ETag of the one before', async () => {
    const server = new Server()
    const draft = new Draft('/d', saved(base), server.door)
    draft.edit(add('b'))
    draft.edit(add('c'))
    expect([keys(draft.get().document), draft.get().status, keys(server.document)]).toEqual([['a', 'b', 'c'], 'saving', ['a']])
    await settled()
    expect([keys(server.document), draft.get().status, draft.get().saved.hash, server.kept]).toEqual([['a', 'b', 'c'], 'saved', 'h2', null])
  })

  it('keeps what is not sent without a connection, over a reload too, and sends it when it is back', async () => {
    const server = new Server()
    server.down = true
    const draft = new Draft('/d', saved(base), server.door)
    draft.edit(add('b'))
    draft.type('task:a', 'half a word')
    await settled()
    expect([draft.get().status, draft.get().pending.length]).toEqual(['offline', 1])
    server.down = false
    const again = new Draft('/d', saved(base), server.door)
    expect([again.get().typed, keys(again.get().document)]).toEqual([{ 'task:a': 'half a word' }, ['a', 'b']])
    await settled()
    expect([again.get().status, keys(server.document)]).toEqual(['saved', ['a', 'b']])
  })

  it('asks where somebody else has changed it, and loses nothing of either', async () => {
    const server = new Server()
    const draft = new Draft('/d', saved(base), server.door)
    server.write(add('theirs'))
    draft.edit(add('mine'))
    await settled()
    expect([draft.get().status, keys(draft.get().theirs!.document), keys(draft.get().document)]).toEqual(['conflict', ['a', 'theirs'], ['a', 'mine']])
    draft.settle({ ...base, tasks: { a: {}, theirs: {}, mine: {} } })
    await settled()
    expect([draft.get().status, keys(server.document)]).toEqual(['saved', ['a', 'theirs', 'mine']])
  })

  it('asks nothing where the newer state is its own doing, whose answer was lost', async () => {
    const server = new Server()
    const draft = new Draft('/d', saved(base), server.door)
    server.write(add('b'))
    draft.edit(add('b'))
    draft.edit(add('c'))
    await settled()
    expect([draft.get().status, draft.get().theirs, keys(server.document)]).toEqual(['saved', null, ['a', 'b', 'c']])
  })

  it('is without an edit that is refused, says which and why, and continues', async () => {
    const server = new Server()
    server.refuse = new ApiProblem(42203, 'cycle: a -> a')
    const draft = new Draft('/d', saved(base), server.door)
    draft.edit({ kind: 'edge', from: 'a', to: 'a', condition: true })
    draft.edit(add('b'))
    await settled()
    expect([draft.get().refused?.problem.message, keys(draft.get().document), draft.get().document.tasks]).toEqual(['cycle: a -> a', ['a', 'b'], server.document.tasks])
  })

  it('takes no more once it is no draft, and keeps what is here', async () => {
    const server = new Server()
    server.refuse = new ApiProblem(40904, 'is ACTIVE')
    const draft = new Draft('/d', saved(base), server.door)
    draft.edit(add('b'))
    await settled()
    expect([draft.get().status, keys(draft.get().document), server.kept !== null]).toEqual(['closed', ['a', 'b'], true])
  })

  it('is undone and done again step by step', async () => {
    const server = new Server()
    const draft = new Draft('/d', saved(base), server.door)
    draft.edit(add('b'))
    draft.edit(add('c'))
    draft.undo()
    await settled()
    expect(keys(server.document)).toEqual(['a', 'b'])
    draft.undo()
    draft.redo()
    await settled()
    expect([keys(server.document), keys(draft.get().document), draft.get().history.future.length]).toEqual([['a', 'b'], ['a', 'b'], 1])
    draft.edit(add('d'))
    expect(draft.get().history.future).toEqual([])
  })

  it('takes over what others change only while nothing is typed here', async () => {
    const server = new Server()
    const draft = new Draft('/d', saved(base), server.door)
    draft.type('task:a', 'x')
    server.write(add('theirs'))
    await draft.look()
    expect(keys(draft.get().document)).toEqual(['a'])
    draft.type('task:a', undefined)
    await draft.look()
    expect([keys(draft.get().document), draft.get().adopted]).toEqual([['a', 'theirs'], 1])
  })
})
