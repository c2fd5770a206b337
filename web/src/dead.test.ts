// Nothing is kept that nothing uses: each word is said by a component that imports it, each export is named somewhere.
import { expect, it } from 'vitest'

const sources = import.meta.glob<string>('./**/*.{ts,tsx}', { query: '?raw', import: 'default', eager: true })
const tables = import.meta.glob<{ en: Record<string, unknown> } | { words: { en: Record<string, unknown> } }>('./**/{words,*Words,en}.ts', { eager: true })
const code = Object.entries(sources).filter(([path]) => !path.endsWith('.test.ts') && !/(words|Words|words\/en|words\/zh)\.ts$/.test(path))

/** Folders of a path and of what it imports, without `./` and `..`. */
function resolved(from: string, to: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of to.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function importing(path: string): string {
  const wanted = path.replace(/\.ts$/, '')
  const users = code.filter(([from, text]) => [...text.matchAll(/from '(\.[^']*)'/g)].some((found) => resolved(from, found[1]!) === wanted))
  return users.map(([, text]) => text).join('\n')
}

const everywhere = code.map(([, text]) => text).join('\n')
const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `w.word`, or `'word'` where words are chosen by their name, or what `` w[`${verb}Text`] `` may stand for. */
function isSaid(word: string, text: string): boolean {
  if (new RegExp(`\\.${word}\\b|['"\`]${word}['"\`]`).test(text)) return true
  const ends = [...text.matchAll(/\[`\$\{[^}]*\}(\w+)`\]/g)].map((found) => found[1]!)
  return ends.some((end) => word.endsWith(end) && new RegExp(`['"\`]${word.slice(0, -end.length)}['"\`]`).test(text))
}

const found = Object.entries(tables).map(([path, module]) => [path, 'words' in module ? module.words.en : module.en] as const)

it('finds the words of every page', () => {
  expect(found.length).toBeGreaterThan(15)
})

it.each(found)('no word of %s is dead', (path, words) => {
  const common = path.endsWith('words/en.ts')
  const text = common ? everywhere : importing(path)
  const dead = Object.entries(words).flatMap(([word, value]) => {
    if (!isSaid(word, text)) return [word]
    // Shared words stand in groups; those of states, codes and meanings are chosen by what the server says.
    if (!common || !isMap(value) || ['state', 'meaning', 'codes'].includes(word)) return []
    return Object.keys(value).filter((inner) => !isSaid(inner, text)).map((inner) => `${word}.${inner}`)
  })
  expect(dead).toEqual([])
})

it('no export is dead', () => {
  const named = new Map<string, number>()
  for (const text of Object.values(sources)) for (const [word] of text.matchAll(/\w+/g)) named.set(word, (named.get(word) ?? 0) + 1)
  const dead = Object.entries(sources).flatMap(([path, text]) =>
    [...text.matchAll(/^export (?:interface|type|const|function|class|async function) (\w+)/gm)]
      .filter(([, name]) => named.get(name!)! < 2)
      .map(([, name]) => `${path}: ${name}`),
  )
  expect(dead).toEqual([])
})
