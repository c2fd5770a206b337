// A version of a workflow, to edit if it is a draft: as list, graph or YAML, with the form of what is chosen beside it.
import { Copy, Download } from 'lucide-react'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { useMay } from '../../api/me'
import { useAction, useOne } from '../../api/queries'
import type { GraphData } from '../../api/types'
import { shortPath } from '../../format'
import { Button } from '../../ui/Button'
import { Chip } from '../../ui/Chip'
import { Head } from '../../ui/Panel'
import { Loaded, Problem, Waiting } from '../../ui/Problem'
import { YamlText } from '../../ui/YamlText'
import { useCommon, useWords } from '../../words'
import { Desk } from './Desk'
import type { Draft } from './draft'
import { saveFile } from '../../ui/saveFile'
import { Above } from './Top'
import { DraftProvider, draftOf, type Version } from './useDraft'
import { words } from './words'
import './editor.css'

export default function Editor({ id, version }: { id: string; version: string }) {
  const path = `/workflows/${encodeURIComponent(id)}/versions/${version}`
  const found = useOne<Version>(path, {}, { every: false })
  const graph = useOne<GraphData>(`${path}/graph`, {}, { every: false })
  const define = useMay('define')
  return (
    <Loaded of={found} lines={9}>
      {(x) => (x.state === 'DRAFT' && define ? (graph.data || graph.error ? <Open key={`${x.workflow} ${x.version}`} version={x} graph={graph.data ?? null} /> : <Waiting lines={9} />) : <ReadOnly of={x} define={define} />)}
    </Loaded>
  )
}

function Open({ version, graph }: { version: Version; graph: GraphData | null }) {
  const [draft] = useState<Draft>(() => draftOf(version, graph))
  return <DraftProvider value={draft}><Desk version={version} /></DraftProvider>
}

/** What never changes, or may not be changed by this person: its text, and the way to a draft. */
function ReadOnly({ of: x, define }: { of: Version; define: boolean }) {
  const w = useWords(words)
  const common = useCommon()
  return (
    <>
      <Head
        name={`${x.workflow} ${w.version(x.version)}`} title={`${x.workflow}: ${w.version(x.version)}`} above={<Above workflow={x.workflow} />}
        actions={<><Button icon={Download} onClick={() => saveFile(x.workflow, x.format, x.text)}>{w.download}</Button>{define && <CopyToDraft of={x} main />}</>}
      >
        <Chip state={x.state} />
        {x.file && <span className="mono" title={x.file}>{shortPath(x.file)}</span>}
      </Head>
      <p className="editor-note" role="status">
        {x.state === 'DRAFT' ? w.mayNot : w.readOnly(common.state[x.state] ?? x.state)} {(x.file || x.source === 'file') && w.ofFile(x.file ? shortPath(x.file) : w.aFile)}
      </p>
      <YamlText text={x.text} label={w.text} plain={x.format !== 'yaml'} />
    </>
  )
}

/** Makes a draft of a version, and opens it. */
export function CopyToDraft({ of: x, main }: { of: { workflow: string; version: number }; main?: boolean }) {
  const w = useWords(words)
  const [, go] = useLocation()
  const workflow = encodeURIComponent(x.workflow)
  const copy = useAction<{ version: number }>((reply) => go(`/workflows/${workflow}/versions/${reply.data.version}/edit`))
  return (
    <>
      <Button icon={Copy} look={main ? 'main' : undefined} disabled={copy.isPending} onClick={() => copy.mutate({ path: `/workflows/${workflow}/versions`, body: { copy_of: x.version } })}>{w.copy}</Button>
      {copy.error && <Problem error={copy.error} />}
    </>
  )
}
