// The draft as a graph: the server places the boxes. An edge is drawn from the point at a box's right side.
import { Handle, Position, ReactFlowProvider, type Connection, type Edge, type Node, type NodeProps } from '@xyflow/react'
import { Repeat, Trash2, TriangleAlert, X } from 'lucide-react'
import { memo, useMemo, useState } from 'react'
import type { Box } from '../../api/types'
import { neighbour } from '../../draw/graphModel'
import { lineOf, placed, Surface } from '../../draw/Surface'
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

type BoxNode = Node<{ box: Box; chosen: boolean; faults: number; unknown: boolean; choose: (key: string) => void }, 'box'>
const nodeTypes = { box: memo(BoxView) }

export default function EditGraph(props: Props) {
  const w = useWords(words)
  const { saved, document } = useDraftState()
  if (Object.keys(tasksOf(document)).length === 0) return <Empty title={w.emptyTitle}>{w.emptyMore}</Empty>
  return saved.graph === null ? <Waiting lines={4} /> : <ReactFlowProvider><Canvas {...props} /></ReactFlowProvider>
}

function Canvas({ chosen, choose, addAfter }: Props) {
  const w = useWords(words)
  const draft = useDraft()
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
        ...placed(box), connectable: !box.fold,
        data: { box, chosen: box.key === chosen, faults: faulty.filter((task) => task === box.key).length, unknown: isUnknownTask(tasks[box.key]), choose },
      })),
    [data.boxes, chosen, faulty, isUnknown, document, choose],
  )
  const edges = useMemo(() => data.edges.map((one) => lineOf(one, (edge?.from === one.from && edge.to === one.to) || one.from === chosen || one.to === chosen)), [data.edges, chosen, edge])
  const isAllowed = ({ source, target }: Connection | Edge) => Boolean(source && target) && source !== target && !behind(document, target).has(source) && !(source in parentsIn(tasks[target] ?? {}))
  const walk = (arrow: string) => {
    const to = data.boxes.find((box) => box.key === (chosen === null ? data.boxes[0]?.key : neighbour(data, chosen, arrow))) ?? null
    if (to) choose(to.key)
    return to
  }
  const picked = edge && edge.from in parentsIn(tasks[edge.to] ?? {}) ? edge : null
  return (
    <Surface
      className="edit-graph" data={data} label={w.graph} nodes={nodes} edges={edges} nodeTypes={nodeTypes} walk={walk} first={() => data.boxes.find((box) => box.key === chosen) ?? data.boxes[0] ?? null}
      nodesConnectable connectionRadius={40} isValidConnection={isAllowed} onConnect={({ source, target }) => draft.edit({ kind: 'edge', from: source, to: target, condition: true })}
      onConnectEnd={(_, end) => { if (!end.toNode && end.fromNode) addAfter(end.fromNode.id) }}
      onEdgeClick={(_, one) => setEdge({ from: one.source, to: one.target })} onPaneClick={() => { setEdge(null); choose('') }}
    >
      {picked ? (
        <div className="edit-edge">
          <div className="row"><strong className="grow cut">{w.edge(picked.from, picked.to)}</strong>
            <Button icon={Trash2} look="bare" title={w.removeEdge} onClick={() => { draft.edit({ kind: 'unedge', ...picked }); setEdge(null) }} />
            <Button icon={X} look="bare" title={w.closeEdge} onClick={() => setEdge(null)} />
          </div>
          <Condition from={picked.from} to={picked.to} condition={parentsIn(tasks[picked.to]!)[picked.from]!} />
        </div>
      ) : <p className="edit-hint">{w.connect}</p>}
    </Surface>
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
