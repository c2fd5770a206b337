// Two people's changes of one document: what each changed, put together, and where they changed the same thing.
import { isMap, type Json } from '../../ui/schemaFields'
import { same, type Doc } from './document'

/** A place in a document: `['tasks', 'bars', 'retries']`. */
export type Place = string[]

export interface Change {
  place: Place
  /** `undefined`: is not there. */
  before: Json | undefined
  after: Json | undefined
}

/** The same place, changed by both, differently. */
export interface Clash {
  place: Place
  base: Json | undefined
  mine: Json | undefined
  theirs: Json | undefined
}

export type Side = 'mine' | 'theirs'

/** What differs, at the smallest place where it does; lists and values count as a whole. */
export function changes(before: Json | undefined, after: Json | undefined, place: Place = []): Change[] {
  if (same(before, after) && (before === undefined) === (after === undefined)) return []
  if (isMap(before) && isMap(after)) {
    const names = [...Object.keys(before), ...Object.keys(after).filter((name) => !(name in before))]
    return names.flatMap((name) => changes(before[name], after[name], [...place, name]))
  }
  return [{ place, before, after }]
}

/** Where both changed something and not to the same. Nothing of either side is lost anywhere else. */
export function clashes(base: Doc, mine: Doc, theirs: Doc): Clash[] {
  const found: Clash[] = []
  merged(base, mine, theirs, (clash) => {
    found.push(clash)
    return 'theirs'
  })
  return found
}

/** The document with what both changed. `choose`: whose holds where they clash. */
export function merged(base: Doc, mine: Doc, theirs: Doc, choose: (clash: Clash) => Side): Doc {
  return both(base, mine, theirs, [], choose) as Doc
}

function both(base: Json | undefined, mine: Json | undefined, theirs: Json | undefined, place: Place, choose: (clash: Clash) => Side): Json | undefined {
  if (same(mine, theirs)) return theirs
  if (same(base, mine)) return theirs
  if (same(base, theirs)) return mine
  if (isMap(mine) && isMap(theirs) && (isMap(base) || base === undefined)) {
    const old = isMap(base) ? base : {}
    const names = [...Object.keys(theirs), ...Object.keys(mine).filter((name) => !(name in theirs))]
    const parts = names.map((name) => [name, both(old[name], mine[name], theirs[name], [...place, name], choose)] as const)
    return Object.fromEntries(parts.filter(([, value]) => value !== undefined)) as Json
  }
  return choose({ place, base, mine, theirs }) === 'mine' ? mine : theirs
}

/** Whether all that changed from `base` to `theirs` is in `mine` as well: then `mine` takes nothing from anybody. */
export const holdsAll = (base: Doc, mine: Doc, theirs: Doc): boolean =>
  changes(base, theirs).every(({ place, after }) => same(at(mine, place), after))

export function at(doc: Json | undefined, place: Place): Json | undefined {
  return place.reduce<Json | undefined>((value, name) => (isMap(value) ? value[name] : undefined), doc)
}

/** `tasks.bars.retries` as people read it. */
export const placeText = (place: Place) => place.join('.')
