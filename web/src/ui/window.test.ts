import { describe, expect, it } from 'vitest'
import { contentHeight, moved, scrollFor, TALLEST_PX, visibleWindow } from './window'

describe('visibleWindow', () => {
  it('draws what is seen, and a few rows more', () => {
    expect(visibleWindow(320, 320, 1000, 32, 2)).toEqual({ from: 8, to: 22, top: 256 })
  })

  it('draws at most sixty rows of a hundred thousand, wherever it stands', () => {
    for (const at of [0, 1_600_000, 3_199_000, 9_999_999]) {
      const { from, to } = visibleWindow(at, 900, 100_000, 32)
      expect(to - from).toBeLessThanOrEqual(60)
      expect(to).toBeLessThanOrEqual(100_000)
    }
  })

  it('reaches the last row of a list that is higher than a browser can draw', () => {
    const count = 1_048_576
    const height = contentHeight(count, 32)
    expect(height).toBe(TALLEST_PX)
    const end = visibleWindow(height - 600, 600, count, 32, 0)
    expect(end.to).toBe(count)
    expect(end.top + (end.to - end.from) * 32).toBeCloseTo(height, 3)
    expect(visibleWindow(0, 600, count, 32, 0)).toMatchObject({ from: 0, top: 0 })
  })

  it('has nothing to draw in an empty list', () => {
    expect(visibleWindow(100, 300, 0, 32)).toMatchObject({ from: 0, to: 0 })
  })
})

describe('scrollFor', () => {
  it('moves no further than needed', () => {
    expect(scrollFor(3, 0, 320, 1000, 32)).toBe(0)
    expect(scrollFor(10, 0, 320, 1000, 32)).toBe(32)
    expect(scrollFor(2, 320, 320, 1000, 32)).toBe(64)
    expect(scrollFor(500, 0, 320, 1000, 32, 'start')).toBe(16000)
  })

  it('shows the row also where the list is scaled', () => {
    const count = 1_048_576
    for (const index of [0, 77_777, 600_001, count - 1]) {
      const at = scrollFor(index, 0, 640, count, 32, 'center')
      const { from, to } = visibleWindow(at, 640, count, 32, 0)
      expect(from).toBeLessThanOrEqual(index)
      expect(to).toBeGreaterThan(index)
    }
  })
})

describe('moved', () => {
  it('stays within the list', () => {
    expect(moved('ArrowUp', 0, 10, 5)).toBe(0)
    expect(moved('End', 0, 10, 5)).toBe(9)
    expect(moved('PageDown', 7, 10, 5)).toBe(9)
    expect(moved('x', 7, 10, 5)).toBeNull()
    expect(moved('j', 0, 0, 5)).toBeNull()
  })
})
