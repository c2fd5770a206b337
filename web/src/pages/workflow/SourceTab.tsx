// The version that new runs take, as text: as it was written, or in another of the three formats.
import { Download } from 'lucide-react'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Button } from '../../ui/Button'
import { Copy, Empty } from '../../ui/Empty'
import { Loaded } from '../../ui/Problem'
import { saveFile } from '../../ui/saveFile'
import { useWords } from '../../words'
import type { WorkflowDetail } from '../workflows/types'
import type { VersionDetail } from './types'
import { words } from './words'

export default function SourceTab({ of: x }: { of: WorkflowDetail }) {
  const w = useWords(words)
  const [format, setFormat] = useQueryState('format')
  const found = useOne<VersionDetail>(x.version === null ? null : `/workflows/${encodeURIComponent(x.workflow)}/versions/${x.version}`, { format }, { every: false, keep: true })
  if (x.version === null) return <Empty title={w.neverLoaded} />
  return (
    <Loaded of={found}>
      {(v) => (
        <>
          <div className="row pager-top">
            {(['yaml', 'toml', 'json'] as const).map((name) => <Button key={name} aria-pressed={v.format === name} onClick={() => setFormat(name)}>{w[name]}</Button>)}
            <Copy text={v.text} />
            <Button icon={Download} look="bare" title={`${x.workflow}.${v.format}`} onClick={() => saveFile(x.workflow, v.format, v.text)} />
            {v.as_written && v.file && <span className="muted">{w.fromFile(shortPath(v.file))}</span>}
          </div>
          <pre className="source" tabIndex={0}>{v.text.trimEnd().split('\n').map((line, i) => <code key={i}>{v.format === 'yaml' ? coloured(line) : line}{'\n'}</code>)}</pre>
        </>
      )}
    </Loaded>
  )
}

/** Enough colour to find one's way in YAML; no grammar. */
function coloured(line: string) {
  const note = /^\s*#/.test(line) ? 0 : line.search(/\s#/)
  const text = note < 0 ? line : line.slice(0, note)
  const key = /^(\s*(?:- )?)([\w."'/*-]+)(:)(\s|$)/.exec(text)
  return (
    <>
      {key ? <>{key[1]}<span className="y-key">{key[2]}</span>{text.slice(key[1]!.length + key[2]!.length)}</> : text}
      {note >= 0 && <span className="y-note">{line.slice(note)}</span>}
    </>
  )
}
