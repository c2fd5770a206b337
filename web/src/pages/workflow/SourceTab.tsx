// The version that new runs take, as text: as it was written, or in another of the three formats.
import { Download } from 'lucide-react'
import { useQueryState } from '../../api/address'
import { useOne } from '../../api/queries'
import { shortPath } from '../../format'
import { Button } from '../../ui/Button'
import { Copy, Empty } from '../../ui/Empty'
import { Loaded } from '../../ui/Problem'
import { saveFile } from '../../ui/saveFile'
import { YamlText } from '../../ui/YamlText'
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
          <YamlText text={v.text} plain={v.format !== 'yaml'} />
        </>
      )}
    </Loaded>
  )
}
