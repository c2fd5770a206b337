// A workflow's document as its file says it, and edits of it as the server makes them, so that they are seen at once.
import { isMap, type Json } from '../../ui/schemaFields'

export type Doc = { [name: string]: Json }
/** What stands under the key of a task. */
export type Body = { [name: string]: Json }

export interface WrittenEdge {
  from: string
  to: string
  /** As a file says it: true, an expression, `each`, `{on: breaker_open}`. */
  condition: Json
}

/** One change, which is one call. */
export type Edit =
  | { kind: 'add'; key: string; body: Body }
  | { kind: 'set'; key: string; body: Body; name?: string }
  | { kind: 'remove'; key: string }
  | { kind: 'edge'; from: string; to: string; condition: Json }
  | { kind: 'unedge'; from: string; to: string }
  | { kind: 'whole'; document: Doc }
  | { kind: 'text'; text: string; format: string; document: Doc }

export const same = (one: unknown, other: unknown): boolean => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))

/** Equal values have equal JSON, whatever the order of their keys. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isMap(value)) return value
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
}

export function tasksOf(doc: Doc): Record<string, Body> {
  const tasks = isMap(doc.tasks) ? doc.tasks : {}
  return Object.fromEntries(Object.entries(tasks).map(([key, body]) => [key, isMap(body) ? body : {}]))
}

/** Parent -> condition, of the `after` of a task. */
export function parentsIn(body: Body): Record<string, Json> {
  const after = body.after
  if (typeof after === 'string') return { [after]: true }
  if (Array.isArray(after)) return Object.fromEntries(after.filter((one) => typeof one === 'string').map((one) => [one as string, true]))
  return isMap(after) ? { ...after } : {}
}

export const edgesOf = (doc: Doc): WrittenEdge[] =>
  Object.entries(tasksOf(doc)).flatMap(([to, body]) => Object.entries(parentsIn(body)).map(([from, condition]) => ({ from, to, condition })))

/** A task with these edges, as short as a file can say them. */
export function withParents(body: Body, parents: Record<string, Json>): Body {
  const { after: _, ...rest } = body
  const keys = Object.keys(parents)
  if (keys.length === 0) return rest
  return { ...body, after: keys.every((key) => parents[key] === true) ? keys : parents }
}

/** The document after an edit. A rename does not follow into expressions here: the server's answer does. */
export function applied(doc: Doc, edit: Edit): Doc {
  const tasks = tasksOf(doc)
  switch (edit.kind) {
    case 'whole':
    case 'text':
      return edit.document
    case 'add':
      return { ...doc, tasks: { ...tasks, [edit.key]: edit.body } }
    case 'set': {
      if (!(edit.key in tasks)) return doc
      const made = { ...tasks, [edit.key]: edit.body }
      return { ...doc, tasks: edit.name === undefined || edit.name === edit.key ? made : renamed(made, edit.key, edit.name) }
    }
    case 'remove': {
      const rest = Object.entries(tasks).filter(([key]) => key !== edit.key)
      return { ...doc, tasks: Object.fromEntries(rest.map(([key, body]) => [key, without(body, edit.key)])) }
    }
    case 'edge': {
      const body = tasks[edit.to]
      if (!body) return doc
      return { ...doc, tasks: { ...tasks, [edit.to]: withParents(body, { ...parentsIn(body), [edit.from]: edit.condition }) } }
    }
    case 'unedge': {
      const body = tasks[edit.to]
      return body ? { ...doc, tasks: { ...tasks, [edit.to]: without(body, edit.from) } } : doc
    }
  }
}

function without(body: Body, parent: string): Body {
  const parents = parentsIn(body)
  if (!(parent in parents)) return body
  const { [parent]: _, ...rest } = parents
  return withParents(body, rest)
}

function renamed(tasks: Record<string, Body>, old: string, name: string): Record<string, Body> {
  return Object.fromEntries(
    Object.entries(tasks).map(([key, body]) => {
      const parents = Object.entries(parentsIn(body)).map(([parent, condition]) => [parent === old ? name : parent, condition] as const)
      return [key === old ? name : key, parents.some(([parent]) => parent === name) ? withParents(body, Object.fromEntries(parents)) : body]
    }),
  )
}

/** The call that makes an edit, below `/workflows/{id}/versions/{version}`. */
export function requestOf(edit: Edit): { method: string; path: string; body?: unknown } {
  const node = (key: string) => `/nodes/${encodeURIComponent(key)}`
  switch (edit.kind) {
    case 'add': return { method: 'POST', path: '/nodes', body: { key: edit.key, ...sent(edit.body) } }
    case 'set': return { method: 'PUT', path: node(edit.key), body: { ...sent(edit.body), ...(edit.name === undefined ? {} : { key: edit.name }) } }
    case 'remove': return { method: 'DELETE', path: node(edit.key) }
    case 'edge': return { method: 'POST', path: '/edges', body: { from: edit.from, to: edit.to, condition: edit.condition } }
    case 'unedge': return { method: 'DELETE', path: `/edges/${encodeURIComponent(edit.from)}:${encodeURIComponent(edit.to)}` }
    case 'whole': return { method: 'PUT', path: '', body: { document: edit.document } }
    case 'text': return { method: 'PUT', path: '', body: { text: edit.text, format: edit.format } }
  }
}

const OWN = new Set(['job', 'task', 'workflow', 'title', 'params', 'after'])

/** What the server takes of a task: six fields by their names, whatever else a file may say in `settings`. */
function sent(body: Body): Record<string, Json> {
  const own = Object.fromEntries(Object.entries(body).filter(([name]) => OWN.has(name)))
  const settings = Object.fromEntries(Object.entries(body).filter(([name]) => !OWN.has(name)))
  return Object.keys(settings).length > 0 ? { ...own, settings } : own
}

/** What comes right after each task. */
function childrenIn(doc: Doc): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { from, to } of edgesOf(doc)) found.set(from, [...(found.get(from) ?? []), to])
  return found
}

/** Keys of tasks that wait for `key`, near or far, and itself: an edge from one of them to it would be a cycle. */
export function behind(doc: Doc, key: string): Set<string> {
  const children = childrenIn(doc)
  const found = new Set<string>([key])
  for (const one of found) for (const child of children.get(one) ?? []) found.add(child)
  return found
}

/** Task keys, what waits behind what it waits for; within a step as they are written. Those of a cycle come last. */
export function inOrder(doc: Doc): string[] {
  const tasks = tasksOf(doc)
  const children = childrenIn(doc)
  const open = new Map(Object.entries(tasks).map(([key, body]) => [key, Object.keys(parentsIn(body)).filter((parent) => parent in tasks).length]))
  const order = new Map(Object.keys(tasks).map((key, at) => [key, at]))
  const found: string[] = []
  let step = [...open].filter(([, parents]) => parents === 0).map(([key]) => key)
  while (step.length > 0) {
    found.push(...step.sort((a, b) => order.get(a)! - order.get(b)!))
    const next: string[] = []
    for (const child of step.flatMap((key) => children.get(key) ?? [])) {
      const left = (open.get(child) ?? 0) - 1
      open.set(child, left)
      if (left === 0) next.push(child)
    }
    step = next
  }
  return [...found, ...[...open].filter(([, parents]) => parents > 0).map(([key]) => key)]
}

/** A key that is free: `load`, `load_2`, `load_3`. */
export function freeKey(doc: Doc, wanted: string): string {
  const tasks = tasksOf(doc)
  const base = wanted.replace(/[^\p{L}\p{N}_.\/-]/gu, '_') || 'task'
  for (let n = 1; ; n++) {
    const key = n === 1 ? base : `${base}_${n}`
    if (!(key in tasks)) return key
  }
}

/** The task that a fault is of, and the rest of its path: `tasks.bars.params.day` is `params.day` of `bars`. */
export function placeOf(where: string | null | undefined, keys: readonly string[]): { task: string | null; field: string } {
  const path = where ?? ''
  const fits = (key: string) => path === `tasks.${key}` || path.startsWith(`tasks.${key}.`) || path.startsWith(`tasks.${key}[`)
  const task = keys.filter(fits).sort((a, b) => b.length - a.length)[0] ?? null
  return { task, field: task === null ? path : path.slice(`tasks.${task}`.length).replace(/^\./, '') }
}
