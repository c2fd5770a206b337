// The panels of Today.
import { CircleCheck, FileWarning } from 'lucide-react'
import { Link } from 'wouter'
import type { DaemonItem, FailingTask, NextFire, Overview } from '../../api/overview'
import type { InstanceItem } from '../../api/types'
import { count, inZone, megabytes, shortPath } from '../../format'
import { useSettings } from '../../settings'
import { Progress } from '../../ui/Bar'
import { Chip, Tag } from '../../ui/Chip'
import { Code, Empty } from '../../ui/Empty'
import { Panel } from '../../ui/Panel'
import { Slots } from '../../ui/Slots'
import { Time, Took } from '../../ui/Time'
import { useWords } from '../../words'
import { runOf } from '../failures/groups'
import { words } from './words'

export function Failing({ groups, failures, more }: { groups: FailingTask[]; failures: number; more: boolean }) {
  const w = useWords(words)
  if (groups.length === 0) return <div className="well"><CircleCheck aria-hidden size={18} /><strong>{w.well}</strong> <span className="muted">{w.wellMore}</span></div>
  return (
    <Panel flush title={w.failing} note={w.failingNote(`${count(failures)}${more ? '+' : ''}`)} actions={<Link href="/failures">{w.allFailures}</Link>}>
      <ul className="lines">
        {groups.slice(0, 12).map((g) => (
          <li key={`${g.workflow} ${g.task} ${g.error_class}`} data-row className="failing">
            <Chip state="FAILED" small />
            <div className="grow">
              <div className="row">
                <Link className="cut strong" href={`/instances/${g.instance_id}?task=${g.task_id}`}>{g.workflow ? <>{g.workflow} <span className="muted">›</span> {g.task}</> : g.task}</Link>
                {g.count > 1 && <Tag tone="bad">×{count(g.count)}</Tag>}
                <span className="grow" />
                <span className="muted day">{runOf(g)}</span>
                <span className="muted"><Time at={g.newest_at} /></span>
              </div>
              <div className="cut mono error" title={g.error ?? undefined}>{g.error ?? g.error_class}</div>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  )
}

export function Running({ runs }: { runs: InstanceItem[] }) {
  const w = useWords(words)
  const { zone } = useSettings()
  return (
    <Panel flush title={w.running} note={runs.length ? count(runs.length) : undefined} actions={<Link href="/instances">{w.allRuns}</Link>}>
      {runs.length === 0 ? <Empty title={w.idle}>{w.idleMore}</Empty> : (
        <ul className="lines">
          {runs.map((run) => (
            <li key={run.id} data-row className="running">
              <Chip state={run.state} small />
              <Link className="cut strong" href={`/instances/${run.id}`}>{run.workflow ?? run.job ?? run.name}</Link>
              <span className="muted wide-only">{run.business_date ?? `#${run.id}`}</span>
              <Far value={run.progress} />
              <span className="num"><Took since={run.started_at ?? run.created_at} /></span>
              {run.wait_reason && <span className="cut waits" title={inZone(run.wait_reason, zone)}>{w.waits} {inZone(run.wait_reason, zone)}</span>}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

/** How far a run is: a bar, and in numbers. */
export function Far({ value }: { value: number | null }) {
  const w = useWords(words)
  return <span className="running-progress"><Progress value={value} label={w.progress} /> {Math.floor((value ?? 0) * 100)} %</span>
}

export function Fires({ fires }: { fires: NextFire[] }) {
  const w = useWords(words)
  return (
    <Panel flush={fires.length > 0} title={w.next}>
      {fires.length === 0 ? <div className="stack"><p className="muted">{w.noFires}. {w.noFiresMore}</p><Code text={'schedule:\n  cron: "30 16 * * 1-5"\n  timezone: Asia/Shanghai'} /></div> : (
        <ul className="lines">
          {fires.map((fire) => (
            <li key={`${fire.workflow} ${fire.schedule} ${fire.at}`} data-row className="fire">
              <span className="mono"><Time at={fire.at} as="clock" /></span>
              <Link className="cut grow" href={`/workflows/${encodeURIComponent(fire.workflow)}`}>{fire.workflow}</Link>
              <span className="muted"><Time at={fire.at} /></span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

export function Daemons({ daemons }: { daemons: DaemonItem[] }) {
  const w = useWords(words)
  return (
    <Panel flush={daemons.length > 0} title={w.daemons} actions={<Link href="/daemons">{w.all}</Link>}>
      {daemons.length === 0 ? <div className="stack"><p>{w.noDaemons}.</p><Code text="qflowd run" /></div> : (
        <ul className="lines">
          {daemons.map((d) => (
            <li key={d.name} data-row className="daemon">
              <Chip of="DAEMON" state={d.state} small />
              <span className="cut strong">{d.name}</span>
              <Slots busy={d.busy ?? 0} slots={d.slots ?? 0} />
              <span className="num muted">{w.memory(megabytes(d.memory_mb))}</span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

export function Files({ files }: { files: Overview['faulty_files'] }) {
  const w = useWords(words)
  if (files.length === 0) return null
  return (
    <Panel flush title={w.files} note={count(files.length)}>
      <ul className="lines">
        {files.map((f) => (
          <li key={f.file} data-row className="file">
            <FileWarning aria-hidden size={15} />
            <div className="grow"><div className="mono strong" title={f.file}>{shortPath(f.file)}</div><div className="error-text">{f.error.replaceAll(f.file, shortPath(f.file))}</div></div>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
