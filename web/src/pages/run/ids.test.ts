import { expect, it } from 'vitest'
import { median, nameOf, ordinalOf, taskIdOf, tellingFailure } from './ids'

it('keeps ids exact where a number of JavaScript is not', () => {
  const instance = 2 ** 41 + 1
  expect(taskIdOf(instance, 7)).toBe('2305843009214742535')
  expect(ordinalOf(instance, '2305843009214742535')).toBe(7)
  expect(ordinalOf(42, '44040193')).toBe(1)
  expect(ordinalOf(42, '7')).toBeNull()
  expect(ordinalOf(42, 'none')).toBeNull()
})

it('looks at the item that failed before the map that failed because of it', () => {
  const head = { kind: 'head', error: '14 of 5400 items failed', map_index: null }
  const item = { kind: 'task', error: 'ValueError', map_index: 74 }
  expect(tellingFailure([head, item])).toBe(item)
  expect(tellingFailure([head])).toBe(head)
  expect(tellingFailure([])).toBeNull()
})

it('names an item by its label, else by its number', () => {
  expect(nameOf({ task: 'bars', label: '600519', map_index: 3 })).toBe('bars[600519]')
  expect(nameOf({ task: 'bars', label: null, map_index: 3 })).toBe('bars[3]')
  expect(nameOf({ task: 'bars', label: null, map_index: null })).toBe('bars')
})

it('takes the middle of what runs took', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([])).toBeNull()
})
