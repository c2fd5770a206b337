// What boxes and lines stand on, in the run's graph and in the editor's: where one looks, its buttons, its keys. Nothing is moved here.
import { getViewportForBounds, MarkerType, ReactFlow, useReactFlow, useStore, type EdgeTypes, type Node, type ReactFlowProps } from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import { Maximize, ZoomIn, ZoomOut } from 'lucide-react'
import { memo, useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react'
import type { Box, GraphData, GraphEdge } from '../api/types'
import { Button } from '../ui/Button'
import { useWords } from '../words'
import { LineView, type LineEdge } from './Line'
import { startFor } from './graphModel'
import { words } from './words'
import './graph.css'

const edgeTypes: EdgeTypes = { line: memo(LineView) }
/** With less, a box shows its name alone, in larger letters. */
const SMALL = 0.65
/** A box with less than this is not read any more. */
const LEGIBLE = 0.42
const CLOSE = 0.85
/** With less, its letters are dust: a box is drawn as a block in the colour of its state. */
const FAR = 0.3
/** Pixels between dots, and the zoom below which they would be noise. */
const GAP = 24
const SPARSE = 0.5
const STEP = { duration: 150 }
const LEAST = 0.05
const FITTED = 1.1
const MARGIN = 0.08

/** `lit`: it leads to or from where one is. */
export const lineOf = (one: GraphEdge, lit: boolean): LineEdge => ({
  id: `${one.from}-${one.to}`, source: one.from, target: one.to, type: 'line', focusable: false, selectable: false,
  markerEnd: { type: MarkerType.ArrowClosed, width: 30, height: 30, color: lit ? 'var(--accent)' : 'var(--line-strong)', markerUnits: 'userSpaceOnUse' },
  data: { points: one.points, condition: one.condition, lit },
})

/** Where the server has placed a box. */
export const placed = (one: Box) => ({ id: one.key, type: 'box' as const, position: { x: one.x, y: one.y }, width: one.width, height: one.height, draggable: false, selectable: false, focusable: false })

interface Props<N extends Node> extends ReactFlowProps<N, LineEdge> {
  data: GraphData
  label: string
  /** What to look at if not all of it can be read; null: all of it. */
  first: () => Box | null
  /** What must stay in sight: its panel stands beside the graph and takes some of the room. */
  kept?: Box | null
  /** Walks in the direction of an arrow key: the box where one is then. */
  walk: (arrow: string) => Box | null
  keys?: Record<string, () => void>
  tools?: ReactNode
}

export function Surface<N extends Node>({ data, label, first, kept = null, walk, keys, tools, className = '', children, ...flow }: Props<N>) {
  const w = useWords(words)
  const view = useReactFlow<N, LineEdge>()
  const scale = useStore(({ transform }) => (transform[2] < FAR ? 'far' : transform[2] < SMALL ? 'small' : undefined))
  const room = useRef<HTMLDivElement>(null)
  const moved = useRef(false)
  // From what the server has placed: React Flow's own `fitView` waits for a later frame, and what has appeared would be pushed away.
  const fit = (duration = 200) => {
    const size = room.current?.getBoundingClientRect()
    if (size) void view.setViewport(getViewportForBounds({ x: 0, y: 0, width: data.width, height: data.height }, size.width, size.height, LEAST, FITTED, MARGIN), { duration })
  }
  // All of it if that can be read, else the place that matters most.
  const begin = () => {
    const size = room.current?.getBoundingClientRect()
    if (!size || data.boxes.length === 0) return
    const at = Math.min(size.width / (data.width + 80), size.height / (data.height + 80)) >= LEGIBLE ? null : first()
    if (at === null) return fit(0)
    const x = startFor(at.x + at.width / 2, data.width, size.width, CLOSE)
    const y = startFor(at.y + at.height / 2, data.height, size.height, CLOSE)
    void view.setViewport({ x, y, zoom: CLOSE })
  }
  const again = useRef<() => void>(begin)
  again.current = () => (moved.current ? look(kept) : begin())
  // What stands beside it may open or close: until a person has moved it, it is placed anew.
  useEffect(() => {
    if (!room.current) return
    const watch = new ResizeObserver(() => again.current())
    watch.observe(room.current)
    return () => watch.disconnect()
  }, [])
  // A graph that has become larger or smaller is another one. It is looked at anew in the frame that shows it.
  const isFirst = useRef(true)
  useEffect(() => {
    if (isFirst.current) { isFirst.current = false; return }
    moved.current = false
    again.current()
  }, [data.width, data.height, data.folded])
  useEffect(() => { if (view.viewportInitialized) look(kept) }, [kept?.key])
  const look = (one: Box | null) => {
    const size = room.current?.getBoundingClientRect()
    if (!one || !size) return
    const { x, y, zoom } = view.getViewport()
    const [left, top] = [one.x * zoom + x, one.y * zoom + y]
    if (left >= 20 && top >= 20 && left + one.width * zoom <= size.width - 20 && top + one.height * zoom <= size.height - 20) return
    void view.setCenter(one.x + one.width / 2, one.y + one.height / 2, { zoom: Math.max(LEGIBLE, Math.min(1, zoom)), duration: 200 })
  }
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target as Element).closest('input, select, textarea')) return
    const acts: Record<string, () => void> = { f: () => fit(), '+': () => void view.zoomIn(STEP), '=': () => void view.zoomIn(STEP), '-': () => void view.zoomOut(STEP), ...keys }
    const act = event.key.startsWith('Arrow') ? () => { moved.current = true; look(walk(event.key)) } : acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  return (
    <div ref={room} className={`graph ${className}`} data-scale={scale} role="application" aria-label={label} aria-roledescription={w.graph} tabIndex={0} onKeyDown={key}>
      <ReactFlow
        nodesDraggable={false} nodesConnectable={false} elementsSelectable={false} nodesFocusable={false} edgesFocusable={false} disableKeyboardA11y
        minZoom={LEAST} maxZoom={1.6} panOnScroll zoomOnPinch zoomOnDoubleClick={false} onlyRenderVisibleElements={data.boxes.length > 120}
        edgeTypes={edgeTypes} onInit={begin} onMoveStart={(event) => { if (event) moved.current = true }} {...flow}
      >
        <Dots />
      </ReactFlow>
      <div className="graph-tools">
        {tools}
        <Button icon={ZoomOut} look="bare" title={w.out} onClick={() => void view.zoomOut(STEP)} />
        <Button icon={ZoomIn} look="bare" title={w.in} onClick={() => void view.zoomIn(STEP)} />
        <Button icon={Maximize} look="bare" title={w.fit} onClick={() => fit()} />
      </div>
      {children}
    </div>
  )
}

/** The ground. It lies on a layer of its own that is only pushed: a pattern in SVG would be painted again for each step. */
function Dots() {
  const [x, y, zoom] = useStore(({ transform }) => transform)
  if (zoom < SPARSE) return null
  const gap = GAP * zoom
  return <div className="graph-dots" style={{ right: -gap, bottom: -gap, backgroundSize: `${gap}px ${gap}px`, transform: `translate(${(x % gap) - (x < 0 ? 0 : gap)}px, ${(y % gap) - (y < 0 ? 0 : gap)}px)` }} />
}
