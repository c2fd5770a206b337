// A graph whose boxes the server has placed: to look at, to walk along its edges, to open a box. Nothing is moved here.
import { Background, Handle, MarkerType, Position, ReactFlow, ReactFlowProvider, useReactFlow, type Node, type NodeProps } from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import { Layers, Maximize, UnfoldHorizontal, ZoomIn, ZoomOut } from 'lucide-react'
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { GraphBox, GraphData } from '../api/types'
import { count as number } from '../format'
import { Button } from '../ui/Button'
import { signOf } from '../ui/states'
import { useCommon, useWords } from '../words'
import { LineView, type LineEdge } from './Line'
import { firstOfInterest, isMany, neighbour, shares, startFor, stateOf, total } from './graphModel'
import { words } from './words'
import './graph.css'

interface Props {
  data: GraphData
  /** The node whose task is open beside the graph. */
  chosen?: number | null
  open?: (box: GraphBox) => void
  label: string
  /** Where to look when it appears: at what needs a person, or at all of it. */
  look?: 'trouble' | 'all'
  /** Whether folded boxes are shown one by one, and how to change that. */
  unfolded?: boolean
  unfold?: (unfolded: boolean) => void
  /** Boxes that stand out, by their keys: what is about to run again. */
  marked?: ReadonlySet<string> | null
}

type BoxNode = Node<{ box: GraphBox; cursor: boolean; chosen: boolean; marked: boolean; open?: (box: GraphBox) => void }, 'box'>

const nodeTypes = { box: memo(BoxView) }
const edgeTypes = { line: memo(LineView) }
/** A box with less than this is not read any more. */
const LEGIBLE = 0.55
const CLOSE = 0.85
/** So many boxes are drawn at full speed; graphs of more come folded. */
const MOST_BOXES = 300
const arrow = (color: string) => ({ type: MarkerType.ArrowClosed, width: 30, height: 30, color, markerUnits: 'userSpaceOnUse' })

export function Graph(props: Props) {
  return <ReactFlowProvider><Canvas {...props} /></ReactFlowProvider>
}

function Canvas({ data, chosen, open, label, look = 'trouble', unfolded = false, unfold, marked }: Props) {
  const w = useWords(words)
  const flow = useReactFlow()
  const box = useRef<HTMLDivElement>(null)
  const [cursor, setCursor] = useState<string | null>(null)
  const nodes = useMemo<BoxNode[]>(
    () =>
      data.boxes.map((one) => ({
        id: one.key, type: 'box', position: { x: one.x, y: one.y }, width: one.width, height: one.height, draggable: false, connectable: false, selectable: false, focusable: false,
        data: { box: one, cursor: one.key === cursor, chosen: one.node === chosen, marked: marked?.has(one.key) ?? false, open },
      })),
    [data.boxes, cursor, chosen, marked, open],
  )
  const edges = useMemo<LineEdge[]>(
    () =>
      data.edges.map((one) => ({
        id: `${one.from}-${one.to}`, source: one.from, target: one.to, type: 'line', focusable: false, selectable: false, markerEnd: arrow(one.from === cursor || one.to === cursor ? 'var(--accent)' : 'var(--line-strong)'),
        data: { points: one.points, condition: one.condition, lit: one.from === cursor || one.to === cursor },
      })),
    [data.edges, cursor],
  )

  const fit = (duration = 200) => void flow.fitView({ duration, padding: 0.08, maxZoom: 1.1 })
  const centre = (one: GraphBox, duration = 200) => {
    const zoom = Math.max(LEGIBLE, Math.min(1, flow.getZoom()))
    void flow.setCenter(one.x + one.width / 2, one.y + one.height / 2, { zoom, duration })
  }
  // All of it if that can be read, else the place that matters most.
  const begin = () => {
    const size = box.current?.getBoundingClientRect()
    if (!size || data.boxes.length === 0) return
    const zoom = Math.min(size.width / (data.width + 80), size.height / (data.height + 80))
    const first = look === 'trouble' || unfolded ? firstOfInterest(data.boxes) : null
    if (zoom >= LEGIBLE || !first) fit(0)
    else {
      const x = startFor(first.x + first.width / 2, data.width, size.width, CLOSE)
      const y = startFor(first.y + first.height / 2, data.height, size.height, CLOSE)
      void flow.setViewport({ x, y, zoom: CLOSE })
    }
  }
  // What stands beside it may open or close: until a person has moved it, it is placed anew.
  const moved = useRef(false)
  const again = useRef(begin)
  again.current = begin
  useEffect(() => {
    if (!box.current) return
    const watch = new ResizeObserver(() => moved.current || again.current())
    watch.observe(box.current)
    return () => watch.disconnect()
  }, [])
  const wasFolded = useRef(data.folded)
  useEffect(() => {
    if (wasFolded.current === data.folded) return
    wasFolded.current = data.folded
    moved.current = false
    setCursor(null)
    again.current()
  }, [data.folded])
  const go = (to: string | null) => {
    const one = data.boxes.find((each) => each.key === to)
    if (!one) return
    setCursor(one.key)
    moved.current = true
    const { x, y, zoom } = flow.getViewport()
    const size = box.current?.getBoundingClientRect()
    const left = one.x * zoom + x
    const top = one.y * zoom + y
    if (size && (left < 20 || top < 20 || left + one.width * zoom > size.width - 20 || top + one.height * zoom > size.height - 20)) centre(one)
  }
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const at = cursor ?? data.boxes.find((each) => each.node === chosen)?.key ?? null
    const acts: Record<string, () => void> = {
      f: () => fit(), '+': () => void flow.zoomIn({ duration: 150 }), '=': () => void flow.zoomIn({ duration: 150 }), '-': () => void flow.zoomOut({ duration: 150 }),
      u: () => canFold && unfold?.(!unfolded),
      Enter: () => { const one = data.boxes.find((each) => each.key === at); if (one) open?.(one) },
    }
    for (const arrow of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      acts[arrow] = () => go(at === null ? (firstOfInterest(data.boxes)?.key ?? null) : neighbour(data, at, arrow))
    }
    const act = acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const canFold = unfold !== undefined && (data.folded || (unfolded && data.boxes.length > MOST_BOXES))
  const named = data.boxes.find((one) => one.key === cursor)
  return (
    <div ref={box} className="graph" role="application" aria-label={label} aria-roledescription={w.graph} tabIndex={0} onKeyDown={key}>
      <ReactFlow
        nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onInit={begin} onMoveStart={(event) => { if (event) moved.current = true }} onlyRenderVisibleElements={data.boxes.length > 120}
        nodesDraggable={false} nodesConnectable={false} elementsSelectable={false} nodesFocusable={false} edgesFocusable={false} disableKeyboardA11y
        minZoom={0.05} maxZoom={1.6} panOnScroll zoomOnPinch zoomOnDoubleClick={false}
      >
        <Background gap={24} size={1} color="var(--line)" />
      </ReactFlow>
      <div className="graph-tools">
        {data.folded && <span className="graph-note"><Layers aria-hidden size={13} /> {w.folded}</span>}
        {canFold && <Button icon={unfolded ? Layers : UnfoldHorizontal} look="bare" title={`${unfolded ? w.foldAgain : w.showAll} (u)`} onClick={() => unfold(!unfolded)}>{unfolded ? w.foldAgain : w.showAll}</Button>}
        <Button icon={ZoomOut} look="bare" title={w.out} onClick={() => void flow.zoomOut({ duration: 150 })} />
        <Button icon={ZoomIn} look="bare" title={w.in} onClick={() => void flow.zoomIn({ duration: 150 })} />
        <Button icon={Maximize} look="bare" title={w.fit} onClick={() => fit()} />
      </div>
      <span className="hidden-text" role="status">{named ? `${named.title || named.key} ${stateOf(named) ?? ''}` : ''}</span>
    </div>
  )
}

function BoxView({ data: { box, cursor, chosen, marked, open } }: NodeProps<BoxNode>) {
  const w = useCommon()
  const own = useWords(words)
  const state = stateOf(box)
  const { tone, icon: Icon } = signOf(state ?? 'PLAN')
  const many = isMany(box)
  const name = box.title || box.key
  const word = state ? (w.state[state] ?? state) : ''
  return (
    <button
      type="button" tabIndex={-1} className="box nopan" data-tone={state ? tone : 'none'} data-state={state ?? undefined} data-node={box.node} data-many={many || undefined}
      data-cursor={cursor || undefined} data-chosen={chosen || undefined} data-marked={marked || undefined} title={[box.title, box.key, box.job].filter(Boolean).join('\n')} onClick={() => open?.(box)}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="box-sign" title={word}><Icon aria-hidden size={15} strokeWidth={2.4} className={state === 'RUNNING' ? 'turns' : undefined} /></span>
      <span className="box-in">
        <span className="box-name">
          <span className="cut">{name}</span>
          {many && <b>×{number(total(box))}</b>}
          {many && state && <span className="hidden-text">{word}</span>}
        </span>
        {many && box.counts ? <Counts counts={box.counts} /> : <span className="box-word cut">{state ? word : (box.job ?? own.plan)}</span>}
      </span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </button>
  )
}

function Counts({ counts }: { counts: Record<string, number> }) {
  const w = useCommon()
  const parts = shares(counts)
  return (
    <>
      <span className="box-bar" title={parts.map(({ state, count }) => `${w.state[state]} ${number(count)}`).join('\n')}>
        {parts.map(({ state, share }) => <i key={state} data-tone={signOf(state).tone} style={{ width: `${share}%` }} />)}
      </span>
      <span className="box-counts">
        {parts.slice(0, 4).map(({ state, count }) => {
          const { icon: Icon, tone } = signOf(state)
          return <span key={state} data-tone={tone}><Icon aria-hidden size={10} strokeWidth={3} /><span className="hidden-text">{w.state[state]} </span>{number(count)}</span>
        })}
      </span>
    </>
  )
}
