// The draft as a graph: the server places the boxes. An edge is drawn from the point at a box's right side.
import { Background, Handle, MarkerType, Position, ReactFlow, ReactFlowProvider, useReactFlow, type Connection, type Edge, type Node, type NodeProps } from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import { Maximize, Repeat, Trash2, TriangleAlert, X, ZoomIn, ZoomOut } from 'lucide-react'
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { GraphBox } from '../../api/types'
import { LineView, type LineEdge } from '../../draw/Line'
import { neighbour, startFor } from '../../draw/graphModel'
import { words as drawWords } from '../../draw/words'
import '../../draw/graph.css'
import { Button } from '../../ui/Button'
import { Empty } from '../../ui/Empty'
import { Waiting } from '../../ui/Problem'
import { useWords } from '../../words'
import { Condition } from './After'
import { behind, parentsIn, placeOf, tasksOf, type Body } from './document'
import { runsOf, useUnknownJobs } from './TaskList'
import { useDraft, useDraftState } from './useDraft'
import { words } from './words'

interface Props {
  chosen: string | null
  choose: (key: string) => void
  addAfter: (key: string) => void
  remove: (key: string) => void
}

type BoxNode = Node<{ box: GraphBox; chosen: boolean; faults: number; unknown: boolean; choose: (key: string) => void }, 'box'>
const nodeTypes = { box: memo(BoxView) }
const edgeTypes = { line: memo(LineView) }
/** A box with less than this is not read any more. */
const LEGIBLE = 0.6
const CLOSE = 0.8

export default function EditGraph(props: Props) {
  const w = useWords(words)
  const { saved, document } = useDraftState()
  if (Object.keys(tasksOf(document)).length === 0) return <Empty title={w.emptyTitle}>{w.emptyMore}</Empty>
  return saved.graph === null ? <Waiting lines={4} /> : <ReactFlowProvider><Canvas {...props} /></ReactFlowProvider>
}

function Canvas({ chosen, choose, addAfter }: Props) {
  const w = useWords(words)
  const own = useWords(drawWords)
  const draft = useDraft()
  const flow = useReactFlow()
  const { saved, document } = useDraftState()
  const [edge, setEdge] = useState<{ from: string; to: string } | null>(null)
  const data = saved.graph!
  const tasks = tasksOf(document)
  const keys = useMemo(() => Object.keys(tasks), [document])
  const faulty = useMemo(() => saved.faults.map((fault) => placeOf(fault.where, keys).task), [saved.faults, keys])
  const isUnknown = useUnknownJobs()
  const isUnknownTask = (body: Body | undefined) => body !== undefined && runsOf(body)[0] === 'job' && isUnknown(runsOf(body)[1])
  const nodes = useMemo<BoxNode[]>(
    () =>
      data.boxes.map((box) => ({
        id: box.key, type: 'box', position: { x: box.x, y: box.y }, width: box.width, height: box.height, draggable: false, selectable: false, focusable: false, connectable: !box.fold,
        data: { box, chosen: box.key === chosen, faults: faulty.filter((task) => task === box.key).length, unknown: isUnknownTask(tasks[box.key]), choose },
      })),
    [data.boxes, chosen, faulty, isUnknown, document, choose],
  )
  const edges = useMemo<LineEdge[]>(
    () =>
      data.edges.map((one) => {
        const isChosen = edge?.from === one.from && edge.to === one.to
        const lit = isChosen || one.from === chosen || one.to === chosen
        return { id: `${one.from}-${one.to}`, source: one.from, target: one.to, type: 'line', focusable: false, selectable: false, markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: lit ? 'var(--accent)' : 'var(--line-strong)' }, data: { points: one.points, condition: one.condition, lit } }
      }),
    [data.edges, chosen, edge],
  )
  const room = useRef<HTMLDivElement>(null)
  const fit = (duration = 200) => void flow.fitView({ duration, padding: 0.12, maxZoom: 1.1 })
  // All of it if that can be read, else the place where one is.
  const begin = () => {
    const view = room.current?.getBoundingClientRect()
    const at = data.boxes.find((box) => box.key === chosen) ?? data.boxes[0]
    if (!view || !at || Math.min(view.width / (data.width + 80), view.height / (data.height + 80)) >= LEGIBLE) return fit(0)
    void flow.setViewport({ x: startFor(at.x + at.width / 2, data.width, view.width, CLOSE), y: startFor(at.y + at.height / 2, data.height, view.height, CLOSE), zoom: CLOSE })
  }
  // A graph that has become larger or smaller is placed again.
  const size = useRef('')
  useEffect(() => {
    const now = `${data.width} ${data.height}`
    const isFirst = size.current === ''
    if (now === size.current) return
    size.current = now
    if (isFirst) return
    const timer = setTimeout(begin, 30)
    return () => clearTimeout(timer)
  }, [data.width, data.height])
  const isAllowed = ({ source, target }: Connection | Edge) => Boolean(source && target) && source !== target && !behind(document, target).has(source) && !(source in parentsIn(tasks[target] ?? {}))
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target as Element).closest('input, select')) return
    const acts: Record<string, () => void> = { f: () => fit(), '+': () => void flow.zoomIn({ duration: 150 }), '-': () => void flow.zoomOut({ duration: 150 }) }
    for (const arrow of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      acts[arrow] = () => {
        const to = chosen === null ? data.boxes[0]?.key : neighbour(data, chosen, arrow)
        if (to) choose(to)
      }
    }
    const act = acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const picked = edge && edge.from in parentsIn(tasks[edge.to] ?? {}) ? edge : null
  return (
    <div ref={room} className="graph edit-graph" role="application" aria-label={w.graph} aria-roledescription={own.graph} tabIndex={0} onKeyDown={key}>
      <ReactFlow
        nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onInit={begin} onlyRenderVisibleElements={data.boxes.length > 120}
        nodesDraggable={false} nodesConnectable elementsSelectable={false} nodesFocusable={false} edgesFocusable={false} disableKeyboardA11y connectionRadius={40}
        isValidConnection={isAllowed} onConnect={({ source, target }) => draft.edit({ kind: 'edge', from: source, to: target, condition: true })}
        onConnectEnd={(_, end) => { if (!end.toNode && end.fromNode) addAfter(end.fromNode.id) }}
        onEdgeClick={(_, one) => setEdge({ from: one.source, to: one.target })} onPaneClick={() => { setEdge(null); choose('') }}
        minZoom={0.05} maxZoom={1.6} panOnScroll zoomOnPinch zoomOnDoubleClick={false}
      >
        <Background gap={24} size={1} color="var(--line)" />
      </ReactFlow>
      <div className="graph-tools">
        <Button icon={ZoomOut} look="bare" title={own.out} onClick={() => void flow.zoomOut({ duration: 150 })} />
        <Button icon={ZoomIn} look="bare" title={own.in} onClick={() => void flow.zoomIn({ duration: 150 })} />
        <Button icon={Maximize} look="bare" title={own.fit} onClick={() => fit()} />
      </div>
      {picked ? (
        <div className="edit-edge">
          <div className="row"><strong className="grow cut">{w.edge(picked.from, picked.to)}</strong>
            <Button icon={Trash2} look="bare" title={w.removeEdge} onClick={() => { draft.edit({ kind: 'unedge', ...picked }); setEdge(null) }} />
            <Button icon={X} look="bare" title={w.closeEdge} onClick={() => setEdge(null)} />
          </div>
          <Condition from={picked.from} to={picked.to} condition={parentsIn(tasks[picked.to]!)[picked.from]!} />
        </div>
      ) : <p className="edit-hint">{w.connect}</p>}
    </div>
  )
}

function BoxView({ data: { box, chosen, faults, unknown, choose } }: NodeProps<BoxNode>) {
  const w = useWords(words)
  const name = box.title || box.key
  const Icon = faults > 0 ? TriangleAlert : box.kind === 'head' ? Repeat : null
  return (
    <>
      <Handle type="target" position={Position.Left} />
      <button
        type="button" tabIndex={-1} className="box nopan edit-box" data-chosen={chosen || undefined} data-many={box.kind === 'head' || Boolean(box.fold) || undefined} data-tone={faults > 0 ? 'bad' : undefined} data-unknown={unknown || undefined}
        title={[box.title, box.key, box.job, unknown && w.unknownJobWhat].filter(Boolean).join('\n')} onClick={() => box.fold || choose(box.key)}
      >
        <span className="box-in">
          <span className="box-name"><span className="cut">{name}</span>{Icon && <Icon aria-hidden size={13} />}{box.fold && <b>×{box.fold.count}</b>}</span>
          <span className="box-word cut">{faults > 0 ? w.faults(faults) : unknown ? `${box.job}: ${w.unknownJob}` : box.job || '–'}</span>
        </span>
      </button>
      <Handle type="source" position={Position.Right} />
    </>
  )
}
