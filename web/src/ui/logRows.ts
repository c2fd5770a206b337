// A log as rows of one height: which record and which piece of it stands in which row. No drawing, no network.
import type { LineItem } from '../api/types'
import { folded, foldedCount, untabbed } from './columns'

/** Up to these two, a log is one text: selecting all of it and the browser's own search work. */
export const PLAIN_LINES = 5_000
export const PLAIN_BYTES = 1_000_000
/** A longer message is cut until somebody asks for all of it. */
export const LONGEST = 4_096

/** Whether these lines are drawn as one plain text. */
export function isPlain(lines: readonly LineItem[]): boolean {
  if (lines.length > PLAIN_LINES) return false
  let size = 0
  for (const line of lines) size += line.message.length
  return size <= PLAIN_BYTES
}

// Colours of a terminal, which programs print although nobody has one.
const COLOURS = /\x1b\[[0-9;]*[A-Za-z]/g

/** What is shown of a message, and how many characters are not. */
export function shown(message: string, whole: boolean): { text: string; hidden: number } {
  const text = message.replace(COLOURS, '').replace(/\r\n?/g, '\n').replace(/\n$/, '')
  if (whole || text.length <= LONGEST) return { text, hidden: 0 }
  return { text: text.slice(0, LONGEST), hidden: text.length - LONGEST }
}

/** `key=value` of what a structured line carries besides its message. */
export function attributesText(attributes: unknown): string {
  if (!attributes || typeof attributes !== 'object') return ''
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}

/** Message and attributes of a line as one text. */
export function lineText(line: LineItem, whole: boolean): { text: string; hidden: number } {
  const cut = shown(line.message, whole)
  const more = attributesText(line.attributes)
  return more && !cut.hidden ? { text: cut.text === '' ? more : `${cut.text}  ${more}`, hidden: 0 } : cut
}

/** One drawn row: a piece of a line. Only the first has time, level and task before it. */
export interface Row {
  line: LineItem
  text: string
  first: boolean
  /** Of the last piece of a message that was cut: how many characters are not shown. */
  hidden: number
}

/** Rows of a log in `width` columns (0: lines are not wrapped). */
export class LogRows {
  /** `starts[i]` is the first row of line i; the last entry is the number of rows. */
  private readonly starts: Uint32Array

  constructor(
    readonly lines: readonly LineItem[],
    readonly width: number,
    private readonly whole: ReadonlySet<number> = new Set(),
  ) {
    this.starts = new Uint32Array(lines.length + 1)
    lines.forEach((line, index) => {
      this.starts[index + 1] = this.starts[index]! + rowCount(line, width, whole.has(line.id))
    })
  }

  /** Rows of the whole log. */
  get count(): number {
    return this.starts[this.lines.length]!
  }

  /** The index of the line that row `row` belongs to. */
  lineAt(row: number): number {
    let low = 0
    let high = this.lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.starts[middle]! <= row) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The first row of line `index`. */
  rowOf(index: number): number {
    return this.starts[index]!
  }

  /** The rows `from` to `to`, the latter excluded. */
  slice(from: number, to: number): Row[] {
    const rows: Row[] = []
    if (this.lines.length === 0) return rows
    for (let index = this.lineAt(from); index < this.lines.length && this.starts[index]! < to; index++) {
      const pieces = this.pieces(index)
      pieces.forEach((row, piece) => {
        const at = this.starts[index]! + piece
        if (at >= from && at < to) rows.push(row)
      })
    }
    return rows
  }

  private pieces(index: number): Row[] {
    const line = this.lines[index]!
    const { text, hidden } = lineText(line, this.whole.has(line.id))
    const texts = text.split('\n').flatMap((part) => folded(untabbed(part), this.width))
    return texts.map((piece, at) => ({
      line,
      text: piece,
      first: at === 0,
      hidden: at === texts.length - 1 ? hidden : 0,
    }))
  }
}

function rowCount(line: LineItem, width: number, whole: boolean): number {
  const { text } = lineText(line, whole)
  if (!text.includes('\n')) return foldedCount(untabbed(text), width)
  let count = 0
  for (const part of text.split('\n')) count += foldedCount(untabbed(part), width)
  return count
}

/** Where `query` stands in a text, case-insensitive: [from, to) pairs that do not overlap. */
export function hits(text: string, query: string): [number, number][] {
  const found: [number, number][] = []
  const wanted = query.toLowerCase()
  if (wanted === '') return found
  const low = text.toLowerCase()
  for (let at = low.indexOf(wanted); at !== -1; at = low.indexOf(wanted, at + wanted.length)) {
    found.push([at, at + wanted.length])
  }
  return found
}

/** The next line after `at` (or before it) that `wanted` says yes to, around the end; -1 if there is none. */
export function nextLine(lines: readonly LineItem[], at: number, step: 1 | -1, wanted: (line: LineItem) => boolean): number {
  for (let moved = 1; moved <= lines.length; moved++) {
    const index = (((at + step * moved) % lines.length) + lines.length) % lines.length
    if (wanted(lines[index]!)) return index
  }
  return -1
}

const SEVERE = new Set(['ERROR', 'CRITICAL', 'FATAL'])

/** How a line is coloured: by its level, else by its stream. */
export function toneOf(line: LineItem): 'error' | 'warning' | 'dim' | 'plain' {
  const level = (line.level ?? '').toUpperCase()
  if (SEVERE.has(level)) return 'error'
  if (level === 'WARNING' || level === 'WARN') return 'warning'
  if (level === 'DEBUG' || level === 'TRACE') return 'dim'
  return level === '' && line.stream === 'stderr' ? 'warning' : 'plain'
}

/** What stands before a line's text, each in its own columns. */
export interface Gutter {
  times: boolean
  levels: boolean
  tasks: boolean
}

const SHORT: Record<string, string> = { WARNING: 'WARN', CRITICAL: 'CRIT' }
export const TIME_COLUMNS = 13
export const LEVEL_COLUMNS = 6
export const TASK_COLUMNS = 22

/** Columns that the gutter takes. */
export const gutterColumns = (of: Gutter): number =>
  (of.times ? TIME_COLUMNS : 0) + (of.levels ? LEVEL_COLUMNS : 0) + (of.tasks ? TASK_COLUMNS : 0)

/** `ERROR`, in five letters at most; a line without level that went to stderr says so. */
export function levelText(line: LineItem): string {
  const level = (line.level ?? '').toUpperCase()
  return (SHORT[level] ?? level).slice(0, 5)
}

/** `bars[600519]`. */
export function taskText(line: Pick<LineItem, 'task' | 'map_index' | 'label'>): string {
  const item = line.label ?? (line.map_index === null ? null : String(line.map_index))
  return item === null ? (line.task ?? '') : `${line.task ?? ''}[${item}]`
}

// Without the Z, which stands behind the full stop that a whole second lacks.
const moment = (line: LineItem) => line.at.slice(0, -1)

/** Puts two pages together in the order (at, id), without the lines that both have. */
export function merged(one: readonly LineItem[], other: readonly LineItem[]): LineItem[] {
  if (one.length === 0) return [...other]
  if (other.length === 0) return [...one]
  const known = new Set(one.map((line) => line.id))
  const more = other.filter((line) => !known.has(line.id))
  if (more.length === 0) return one as LineItem[]
  return [...one, ...more].sort((a, b) => (moment(a) < moment(b) ? -1 : moment(a) > moment(b) ? 1 : a.id - b.id))
}
