// An edge of a graph: a rounded line, dashed and with its word if it has a condition. For the run's graph and the editor's.
import { BaseEdge, EdgeLabelRenderer, type Edge, type EdgeProps } from '@xyflow/react'
import { roundedPath } from './graphModel'

export type LineEdge = Edge<{ points: [number, number][]; condition: string | null; lit: boolean }, 'line'>

export function LineView({ data, sourceX, sourceY, targetX, targetY, markerEnd, interactionWidth }: EdgeProps<LineEdge>) {
  const points: [number, number][] = data && data.points.length > 1 ? data.points : [[sourceX, sourceY], [targetX, targetY]]
  const middle = points[Math.floor(points.length / 2)]!
  const other = points[Math.floor(points.length / 2) - 1]!
  return (
    <>
      <BaseEdge path={roundedPath(points)} markerEnd={markerEnd} interactionWidth={interactionWidth} className={data?.lit ? 'line-lit' : undefined} style={data?.condition ? { strokeDasharray: '5 4' } : undefined} />
      {data?.condition && (
        <EdgeLabelRenderer>
          <span className="line-word nopan" style={{ transform: `translate(-50%, -50%) translate(${(middle[0] + other[0]) / 2}px, ${(middle[1] + other[1]) / 2}px)` }} title={data.condition}>{data.condition}</span>
        </EdgeLabelRenderer>
      )}
    </>
  )
}
