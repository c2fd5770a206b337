import { describe, expect, it } from 'vitest'
import { axis, foldable, FOLD_PX, gaps, offsetOf, panned, stepFor, tickText, ticks, timeAt, xOf, zoomed } from './time'

const HOUR = 3_600_000

describe('gaps', () => {
  it('are what no span covers', () => {
    expect(
      gaps(
        [
          [10, 20],
          [15, 30],
          [50, 60],
        ],
        0,
        100,
      ),
    ).toEqual([
      [0, 10],
      [30, 50],
      [60, 100],
    ])
    expect(gaps([], 0, 10)).toEqual([[0, 10]])
    expect(gaps([[-5, 20]], 0, 10)).toEqual([])
  })

  it('are folded only if they are long, and a rim stays', () => {
    const spans: [number, number][] = [
      [0, HOUR],
      [5 * HOUR, 6 * HOUR],
    ]
    const [one] = foldable(spans, 0, 6 * HOUR)
    expect(one![0]).toBeGreaterThan(HOUR)
    expect(one![1]).toBeLessThan(5 * HOUR)
    expect(
      foldable(
        [
          [0, 1000],
          [3000, 4000],
        ],
        0,
        4000,
      ),
    ).toEqual([])
  })
})

describe('axis', () => {
  it('is linear without folds, and both ways agree', () => {
    const of = axis(1000, 2000, 500)
    expect(xOf(of, 1500)).toBe(250)
    expect(timeAt(of, 250)).toBe(1500)
    expect(xOf(of, 0)).toBe(0)
    expect(xOf(of, 9999)).toBe(500)
  })

  it('gives a folded stretch few pixels and the rest to the others', () => {
    const of = axis(0, 6 * HOUR, 628, [[HOUR, 5 * HOUR]])
    expect(xOf(of, HOUR)).toBeCloseTo(300)
    expect(xOf(of, 5 * HOUR)).toBeCloseTo(300 + FOLD_PX)
    expect(xOf(of, 6 * HOUR)).toBeCloseTo(628)
    expect(timeAt(of, 314)).toBeCloseTo(3 * HOUR)
  })

  it('survives an instance without length', () => {
    expect(xOf(axis(5, 5, 100), 5)).toBe(0)
  })
})

describe('view', () => {
  it('zooms around the pointer and stays within its bounds', () => {
    expect(zoomed([0, 1000], 2, 500, [0, 1000])).toEqual([250, 750])
    expect(zoomed([250, 750], 0.1, 500, [0, 1000])).toEqual([0, 1000])
    expect(zoomed([0, 1000], 2, 0, [0, 1000])).toEqual([0, 500])
    expect(panned([0, 500], -100, [0, 1000])).toEqual([0, 500])
    expect(panned([0, 500], 900, [0, 1000])).toEqual([500, 1000])
  })
})

describe('ticks', () => {
  it('stand on full steps of local time, also where the zone is half an hour off', () => {
    const from = Date.UTC(2026, 10, 28, 0, 7)
    const of = axis(from, from + 6 * HOUR, 800)
    const { step, ticks: found } = ticks(of, 'Asia/Kolkata')
    expect(step).toBe(HOUR)
    expect(tickText(found[0]!, step, 'Asia/Kolkata', 'en-GB')).toBe('06:00')
    expect(offsetOf('Asia/Kolkata', from)).toBe(5.5 * HOUR)
  })

  it('name the day at midnight of the zone', () => {
    const from = Date.UTC(2026, 10, 28, 12)
    const { step, ticks: found } = ticks(axis(from, from + 12 * HOUR, 900), 'Asia/Shanghai')
    const midnight = found.find((tick) => tick.day)!
    expect(tickText(midnight, step, 'Asia/Shanghai', 'en-GB')).toBe('29 Nov')
  })

  it('are never closer than asked', () => {
    expect(stepFor(1000, 88)).toBe(120_000)
    expect(stepFor(0.5, 88)).toBe(50)
  })
})
