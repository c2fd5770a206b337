// The grid without React: which cell stands where, and how one walks. Columns of the API are newest first; here oldest first.
import type { GridCell, GridColumn, GridData } from '../api/types'

export interface Cell {
  state: string
  /** Rows of a map, and how many of them failed. */
  rows: number | null
  failed: number | null
  taskId: string | null
}

export interface Grid {
  columns: GridColumn[]
  /** `cells[row][column]`; null: the version of that run does not have the task. */
  cells: (Cell | null)[][]
  longest: number
}

export function gridOf(data: GridData): Grid {
  const columns = [...data.columns].reverse()
  const at = new Map(data.rows.map((row, i) => [row.node, i]))
  const cells = data.rows.map(() => Array.from<Cell | null>({ length: columns.length }).fill(null))
  columns.forEach((column, c) => {
    for (const cell of data.cells[column.id] ?? []) {
      const r = at.get(cell[0])
      if (r !== undefined) cells[r]![c] = cellOf(cell)
    }
  })
  return { columns, cells, longest: Math.max(1, ...columns.map((c) => c.duration_s ?? 0)) }
}

const cellOf = ([, state, rows, failed, taskId]: GridCell): Cell => ({ state, rows: rows ?? null, failed: failed ?? null, taskId: taskId ?? null })

export type Place = [row: number, column: number]

/** The next cell in a direction, past empty places; the same one at the edge. */
export function walk(grid: Grid, [row, column]: Place, key: string): Place {
  const [dr, dc] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] ?? [0, 0]
  for (let r = row + dr!, c = column + dc!; (dr || dc) && r >= 0 && c >= 0 && r < grid.cells.length && c < grid.columns.length; r += dr!, c += dc!) {
    if (grid.cells[r]?.[c]) return [r, c]
  }
  if (key === 'Home') return [row, Math.max(0, grid.cells[row]?.findIndex(Boolean) ?? 0)]
  if (key === 'End') return [row, Math.max(0, grid.cells[row]?.findLastIndex(Boolean) ?? 0)]
  return [row, column]
}

/** Where the walk begins: the newest failure, else the newest run's first task. */
export function begin(grid: Grid): Place {
  for (let c = grid.columns.length - 1; c >= 0; c--) {
    const r = grid.cells.findIndex((row) => row[c]?.state === 'FAILED')
    if (r >= 0) return [r, c]
  }
  const last = grid.columns.length - 1
  return [Math.max(0, grid.cells.findIndex((row) => row[last])), last]
}
