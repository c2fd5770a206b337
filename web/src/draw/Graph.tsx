// A graph whose boxes the server has placed: to look at, to walk along its edges, to open a box. Nothing is moved here.
import { Handle, Position, ReactFlowProvider, type Node, type NodeProps } from '@xyflow/react'
import { Layers, UnfoldHorizontal } from 'lucide-react'
import { memo, useEffect, useMemo, useState } from 'react'
import type { Box, GraphData } from '../api/types'
import { count as number } from '../format'
import { Button } from '../ui/Button'
import { signOf } from '../ui/states'
import { useCommon, useWords } from '../words'
import { firstOfInterest, isMany, neighbour, shares, stateOf, total } from './graphModel'
import { lineOf, placed, Surface } from './Surface'
import { words } from './words'

interface Props {
  data: GraphData
  /** The node whose task is open beside the graph. */
  chosen?: number | null
  open?: (box: Box) => void
  label: string
  /** Where to look when it appears: at what needs a person, or at all of it. */
  look?: 'trouble' | 'all'
  /** Whether folded boxes are shown one by one, and how to change that. */
  unfolded?: boolean
  unfold?: (unfolded: boolean) => void
  /** Boxes that stand out, by their keys: what is about to run again. */
  marked?: ReadonlySet<string> | null
}

type BoxNode = Node<{ box: Box; cursor: boolean; chosen: boolean; marked: boolean; open?: (box: Box) => void }, 'box'>

const nodeTypes = { box: memo(BoxView) }
/** So many boxes are drawn at full speed; graphs of more come folded. */
const MOST_BOXES = 300

export function Graph(props: Props) {
  return <ReactFlowProvider><Canvas {...props} /></ReactFlowProvider>
}

function Canvas({ data, chosen, open, label, look = 'trouble', unfolded = false, unfold, marked }: Props) {
  const w = useWords(words)
  const [cursor, setCursor] = useState<string | null>(null)
  const nodes = useMemo<BoxNode[]>(
    () => data.boxes.map((box) => ({ ...placed(box), connectable: false, data: { box, cursor: box.key === cursor, chosen: box.node === chosen, marked: marked?.has(box.key) ?? false, open } })),
    [data.boxes, cursor, chosen, marked, open],
  )
  const edges = useMemo(() => data.edges.map((one) => ({ ...lineOf(one, one.from === cursor || one.to === cursor), interactionWidth: 0 })), [data.edges, cursor])
  useEffect(() => setCursor(null), [data.folded])
  const boxOf = (key: string | null | undefined) => data.boxes.find((one) => one.key === key) ?? null
  const seen = data.boxes.find((one) => one.node === chosen) ?? null
  const at = cursor ?? seen?.key ?? null
  const walk = (arrow: string) => {
    const to = boxOf(at === null ? firstOfInterest(data.boxes)?.key : neighbour(data, at, arrow))
    if (to) setCursor(to.key)
    return to
  }
  const canFold = unfold !== undefined && (data.folded || (unfolded && data.boxes.length > MOST_BOXES))
  const named = boxOf(cursor)
  return (
    <Surface
      data={data} label={label} nodes={nodes} edges={edges} nodeTypes={nodeTypes} walk={walk} first={() => seen ?? (look === 'trouble' || unfolded ? firstOfInterest(data.boxes) : null)} kept={seen}
      keys={{ u: () => canFold && unfold(!unfolded), Enter: () => { const one = boxOf(at); if (one) open?.(one) } }}
      tools={
        <>
          {data.folded && <span className="graph-note"><Layers aria-hidden size={13} /> {w.folded}</span>}
          {canFold && <Button icon={unfolded ? Layers : UnfoldHorizontal} look="bare" title={`${unfolded ? w.foldAgain : w.showAll} (u)`} onClick={() => unfold(!unfolded)}>{unfolded ? w.foldAgain : w.showAll}</Button>}
        </>
      }
    >
      <Signs boxes={data.boxes} />
      <span className="hidden-text" role="status">{named ? `${named.title || named.key} ${stateOf(named) ?? ''}` : ''}</span>
    </Surface>
  )
}

/** What the signs mean that do not speak for themselves, of states that are there. */
function Signs({ boxes }: { boxes: Box[] }) {
  const w = useWords(words)
  const there = useMemo(() => new Set(boxes.flatMap((box) => [box.state, ...Object.keys(box.counts ?? {}).filter((state) => box.counts![state])])), [boxes])
  const signs = (Object.keys(w.signs) as (keyof typeof w.signs)[]).filter((state) => there.has(state))
  if (signs.length === 0) return null
  return (
    <p className="graph-signs" aria-hidden>
      {signs.map((state) => {
        const { icon: Icon, tone } = signOf(state)
        return <span key={state} data-tone={tone}><Icon size={12} strokeWidth={2.6} />{w.signs[state]}</span>
      })}
    </p>
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
          {many && <b>{box.counts || box.fold ? `×${number(total(box))}` : own.perItem}</b>}
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
