import { describe, expect, it } from 'vitest'
import { columns, fitted, folded, foldedCount, untabbed } from './columns'

describe('columns', () => {
  it('counts Latin letters once and Chinese characters twice', () => {
    expect(columns('abc')).toBe(3)
    expect(columns('价格 600519')).toBe(11)
    expect(columns('ﾊﾝｶｸ')).toBe(4)
  })

  it('counts a combining mark with the letter before it', () => {
    expect(columns('e\u0301')).toBe(1)
  })

  it('lets a tab reach the next stop', () => {
    expect(columns('a\tb')).toBe(9)
    expect(untabbed('价\tb')).toBe('价      b')
  })
})

describe('folded', () => {
  it('cuts every `width` columns', () => {
    expect(folded('abcdefgh', 3)).toEqual(['abc', 'def', 'gh'])
  })

  it('cuts between words, and a word only if it is longer than a row', () => {
    expect(folded('one two three', 8)).toEqual(['one two ', 'three'])
    expect(folded('one two three', 7)).toEqual(['one two', ' three'])
    expect(folded('a bcdefghij', 4)).toEqual(['a ', 'bcde', 'fghi', 'j'])
    expect(folded('价格 price 600519', 8)).toEqual(['价格 ', 'price ', '600519'])
  })

  it('never cuts a wide character in two', () => {
    expect(folded('a中文字', 4)).toEqual(['a中', '文字'])
    expect(folded('中文中文中', 3)).toEqual(['中', '文', '中', '文', '中'])
    expect(folded('😀😀😀', 4)).toEqual(['😀😀', '😀'])
  })

  it('leaves a line alone that fits, an empty one too', () => {
    expect(folded('', 80)).toEqual([''])
    expect(folded('中'.repeat(40), 80)).toHaveLength(1)
    expect(folded('x'.repeat(9000), 0)).toHaveLength(1)
  })

  it('counts as many rows as it makes, and loses nothing', () => {
    const alphabet = ['a', ' ', '中', 'é', 'e\u0301', '😀', '\u200b', '-']
    let seed = 7
    const next = () => (seed = (seed * 48271) % 2147483647)
    for (let run = 0; run < 300; run++) {
      const text = Array.from({ length: next() % 120 }, () => alphabet[next() % alphabet.length]).join('')
      const width = 2 + (next() % 40)
      const rows = folded(text, width)
      expect(rows.join('')).toBe(text)
      expect(foldedCount(text, width)).toBe(rows.length)
      for (const row of rows) expect(columns(row)).toBeLessThanOrEqual(width)
    }
  })
})

it('fits a name into a column', () => {
  expect(fitted('bars', 6)).toBe('bars  ')
  expect(fitted('行情[贵州茅台]', 8)).toBe('行情[贵…')
  expect(columns(fitted('行情行情行情', 6))).toBe(6)
})
