// How many columns of a monospace font a text takes, and where a line that is too long is cut. Nothing is measured.

/** Columns between two tab stops. */
export const TAB = 8

const PLAIN = /^[\x20-\x7e]*$/
// Combining marks, joiners and variation selectors stand on the character before them.
const NARROW = /[\u0300-\u036f\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]|\p{Mn}|\p{Me}/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Columns of one character: 0, 1 or 2. A tab counts as 1 here; only its place says how wide it is. */
export function columnsOf(character: string): number {
  if (character >= ' ' && character <= '~') return 1
  if (WIDE.test(character)) return 2
  return NARROW.test(character) ? 0 : 1
}

/** Columns of a line without breaks; tabs reach to the next stop. */
export function columns(text: string): number {
  if (PLAIN.test(text)) return text.length
  let at = 0
  for (const character of text) at += character === '\t' ? TAB - (at % TAB) : columnsOf(character)
  return at
}

/** Tabs as the spaces that they stand for. */
export function untabbed(text: string): string {
  if (!text.includes('\t')) return text
  let at = 0
  let out = ''
  for (const character of text) {
    const width = character === '\t' ? TAB - (at % TAB) : columnsOf(character)
    out += character === '\t' ? ' '.repeat(width) : character
    at += width
  }
  return out
}

/** A text in exactly `width` columns: padded with spaces, or cut with an ellipsis. */
export function fitted(text: string, width: number): string {
  const wide = columns(text)
  if (wide <= width) return text + ' '.repeat(width - wide)
  let out = ''
  let at = 0
  for (const character of text) {
    const more = columnsOf(character)
    if (at + more > width - 1) break
    out += character
    at += more
  }
  return `${out}…${' '.repeat(width - 1 - at)}`
}

/**
 * The rows that a line without tabs becomes in `width` columns: one or more. It is cut after a space or beside a wide
 * character, which goes to the next row whole; a word only if it is longer than a row. `width` 0 means no wrapping.
 */
export function folded(text: string, width: number): string[] {
  if (width < 2 || text.length * 2 <= width) return [text]
  const rows: string[] = []
  let from = 0
  for (const to of (PLAIN.test(text) ? plainCuts : cuts)(text, width)) {
    rows.push(text.slice(from, to))
    from = to
  }
  rows.push(text.slice(from))
  return rows
}

/** How many rows `folded` would give, without making them. */
export function foldedCount(text: string, width: number): number {
  if (width < 2 || text.length * 2 <= width) return 1
  return (PLAIN.test(text) ? plainCuts : cuts)(text, width).length + 1
}

/** Where rows end, of a text in which every character takes one column. */
function plainCuts(text: string, width: number): number[] {
  const ends: number[] = []
  for (let from = 0; text.length - from > width; ) {
    const end = from + width
    const space = text[end] === ' ' ? end : text.lastIndexOf(' ', end - 1) + 1
    from = space > from ? space : end
    ends.push(from)
  }
  return ends
}

function cuts(text: string, width: number): number[] {
  const ends: number[] = []
  let [from, at, index, opening] = [0, 0, 0, 0]
  for (const character of text) {
    const wide = columnsOf(character)
    if (wide === 2 || character === ' ') opening = at + wide > width || wide === 2 ? index : opening
    if (at + wide > width) {
      from = opening > from ? opening : index
      ends.push(from)
      at = columns(text.slice(from, index))
    }
    at += wide
    index += character.length
    if (wide === 2 || character === ' ') opening = index
  }
  return ends
}
