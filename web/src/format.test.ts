import { describe, expect, it } from 'vitest'
import { absolute, clock, inZone } from './format'

describe('absolute', () => {
  it('writes the zone out, as it is at that time of the year', () => {
    expect(absolute('2026-07-01T16:30:05Z', 'America/New_York')).toBe('2026-07-01 12:30:05 EDT -04:00')
    expect(absolute('2026-12-01T16:30:05Z', 'America/New_York')).toBe('2026-12-01 11:30:05 EST -05:00')
    expect(absolute('2026-12-01T16:30:05Z', 'Asia/Shanghai')).toBe('2026-12-02 00:30:05 CST +08:00')
    expect(absolute('2026-12-01T16:30:05Z', 'UTC')).toBe('2026-12-01 16:30:05 UTC')
  })

  it('refuses a zone that there is not, each time', () => {
    for (let time = 0; time < 2; time++) expect(() => absolute('2026-12-01T16:30:05Z', 'Asia/Nowhere')).toThrow(RangeError)
  })
})

describe('inZone', () => {
  it('writes the instants of a reason in a zone, and leaves alone what else looks like one', () => {
    const reason = 'waits for signal bars/2026-12-01T16:30:00Z since 2026-12-01T16:30:05Z, at most until 2026-12-01T18:00:00Z'
    expect(inZone(reason, 'Asia/Shanghai')).toBe(
      'waits for signal bars/2026-12-01T16:30:00Z since 2026-12-02 00:30:05 CST +08:00, at most until 2026-12-02 02:00:00 CST +08:00',
    )
    expect(inZone('paused by anna: until 2026-13-45T00:00:00Z', 'UTC')).toBe('paused by anna: until 2026-13-45T00:00:00Z')
  })
})

describe('clock', () => {
  it('leaves out the day of today, which is that of the zone', () => {
    const now = Date.parse('2026-12-01T17:00:00Z')
    expect(clock('2026-12-01T16:30:05Z', 'Asia/Shanghai', now)).toBe('00:30')
    expect(clock('2026-12-01T15:30:05Z', 'Asia/Shanghai', now)).toBe('12-01 23:30')
  })
})
