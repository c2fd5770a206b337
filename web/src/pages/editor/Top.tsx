// What stands above the desk: where one is, whether everything is saved, and what is in the way.
import { Check, CloudOff, Loader, PencilLine } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useAction, useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Problem } from '../../ui/Problem'
import { useCommon, useWords } from '../../words'
import { forget, useDraft, useDraftState, type Version } from './useDraft'
import { words } from './words'

export function Above({ workflow, version }: { workflow: string; version?: number }) {
  const common = useCommon()
  const w = useWords(words)
  return (
    <>
      <Link href="/workflows">{common.nav.workflows}</Link> · <Link href={`/workflows/${encodeURIComponent(workflow)}?tab=versions`}>{workflow}</Link>
      {version !== undefined && <> · {w.version(version)} <Chip state="DRAFT" /></>}
    </>
  )
}

/** Saved, saving, typing, or without a connection. */
export function SavedSign() {
  const w = useWords(words)
  const { status, typed } = useDraftState()
  const isTyping = Object.keys(typed).length > 0
  const [Icon, word, tone] = status === 'offline' ? [CloudOff, w.noConnection, 'held'] as const
    : status === 'conflict' || status === 'closed' ? [CloudOff, w.notSaved, 'held'] as const
    : status === 'saving' ? [Loader, w.saving, 'busy'] as const
    : isTyping ? [PencilLine, w.typing, 'wait'] as const
    : [Check, w.saved, 'good'] as const
  return <span className="editor-saved" data-tone={tone} data-status={status === 'saved' && isTyping ? 'typing' : status} role="status"><Icon aria-hidden size={14} /> {word}</span>
}

export function Notices({ version, toYaml }: { version: Version; toYaml: () => void }) {
  const w = useWords(words)
  const draft = useDraft()
  const { status, pending, problem, refused, typed, adopted } = useDraftState()
  const [seen, setSeen] = useState(adopted)
  const head = useOne<{ file: string | null; source: string | null }>(`/workflows/${encodeURIComponent(version.workflow)}`, {}, { every: false })
  useEffect(() => {
    if (adopted === seen) return
    const timer = setTimeout(() => setSeen(adopted), 8_000)
    return () => clearTimeout(timer)
  }, [adopted, seen])
  return (
    <>
      {head.data && (head.data.file || head.data.source === 'file') && <Note word={w.ofFile(head.data.file ? shortPath(head.data.file) : w.aFile)} />}
      {status === 'offline' && <Note word={w.offline(pending.length)}><AgainButton again={() => draft.again()} /></Note>}
      {status === 'closed' && <Closed version={version} />}
      {refused && <div className="editor-refused"><Problem error={refused.problem} /><Button look="bare" onClick={() => draft.forgetRefusal()}>{w.closeEdge}</Button></div>}
      {status === 'saved' && problem && <Problem error={problem} />}
      {adopted !== seen && <Note word={w.adopted} />}
      {typed.yaml !== undefined && <PendingText toYaml={toYaml} />}
    </>
  )
}

function Note({ word, children }: { word: string; children?: React.ReactNode }) {
  return <p className="editor-note" role="status"><span className="grow">{word}</span>{children}</p>
}

function AgainButton({ again }: { again: () => void }) {
  const common = useCommon()
  return <Button look="bare" onClick={again}>{common.do.again}</Button>
}

function PendingText({ toYaml }: { toYaml: () => void }) {
  const w = useWords(words)
  const isHere = new URLSearchParams(location.search).get('view') === 'text'
  return isHere ? null : <Note word={w.pendingText}><Button look="bare" onClick={toYaml}>{w.toYaml}</Button></Note>
}

/** Nothing is lost where a draft takes no more changes: what is here becomes another draft. */
function Closed({ version }: { version: Version }) {
  const w = useWords(words)
  const draft = useDraft()
  const { document, problem } = useDraftState()
  const [, go] = useLocation()
  const workflow = encodeURIComponent(version.workflow)
  const keep = useAction<{ version: number }>((reply) => {
    forget(draft)
    go(`/workflows/${workflow}/versions/${reply.data.version}/edit`)
  })
  return (
    <div className="editor-note" role="alert">
      <span className="grow">{w.closed} {problem?.code === 40401 ? w.gone40401 : problem?.message}</span>
      <Button disabled={keep.isPending} onClick={() => keep.mutate({ path: `/workflows/${workflow}/versions`, body: { document } })}>{w.keepAsDraft}</Button>
      {keep.error && <Problem error={keep.error} />}
    </div>
  )
}
