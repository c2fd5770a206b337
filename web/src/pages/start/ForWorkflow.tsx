// What a dialog needs to know of a workflow: which one, asked for if nobody has said, and the schemas of its params.
import { useState, type ReactNode } from 'react'
import { useOne } from '../../api/queries'
import { Dialog } from '../../ui/Dialog'
import { Loaded } from '../../ui/Problem'
import type { Schema } from '../../ui/schemaFields'
import { Pick } from './Pick'
import type { Active } from './useParams'

interface Props {
  /** Null: the person picks one. */
  workflow: string | null
  pick: string
  title: (workflow: string) => string
  onClose: () => void
  children: (workflow: string, schemas: Record<string, Schema> | null) => ReactNode
}

export function ForWorkflow({ workflow, pick, title, onClose, children }: Props) {
  const [picked, setPicked] = useState(workflow)
  const active = useOne<Active>(picked === null ? null : `/workflows/${encodeURIComponent(picked)}/versions/active`, {}, { every: false })
  if (picked === null) return <Pick title={pick} pick={setPicked} onClose={onClose} />
  if (!active.data) return <Dialog title={title(picked)} onClose={onClose}><Loaded of={active}>{() => null}</Loaded></Dialog>
  return children(picked, active.data.document.params ?? null)
}
