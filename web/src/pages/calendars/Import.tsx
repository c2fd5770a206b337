// A calendar of one's own, from a file or pasted: stored beside those that ship, or refused as a whole with the line that is wrong.
import { useId, useState } from 'react'
import { useQuerySet } from '../../api/address'
import { zoneName } from '../../format'
import { useSettings } from '../../settings'
import { Act } from '../../ui/Act'
import { useCommon, useWords } from '../../words'
import { importOf, isDocument, stemOf, type Written } from './imported'
import { words } from './words'
import type { CalendarItem } from './year'

const ZONES = Intl.supportedValuesOf('timeZone')
const SAMPLE = 'day,hours\n2026-01-05,09:00-11:30 13:00-17:00\n2026-01-06,09:00-11:30'

/** `of`: the own calendar that is imported anew. */
export function Import({ of, onClose }: { of?: CalendarItem; onClose: () => void }) {
  const w = useWords(words)
  const set = useQuerySet()
  const { zone } = useSettings()
  const [written, setWritten] = useState<Written>({ text: '', name: of?.name ?? '', timezone: of?.timezone ?? zoneName(zone), title: of?.title ?? '', last: '' })
  const { name, body, fault } = read(written)
  const put = (part: Partial<Written>) => setWritten((before) => ({ ...before, ...part }))
  const take = async (file: File | undefined) => {
    if (!file) return
    const text = await file.text()
    setWritten((before) => ({ ...before, text, name: before.name || stemOf(file.name) }))
  }
  return (
    <Act
      title={of ? `${w.importAnew}: ${of.name}` : w.importOne} word={w.import} wide notYet={!name || !written.text.trim() || !!fault} onClose={onClose}
      action={{ path: `/calendars/${encodeURIComponent(name)}/import`, body }}
      done={() => set({ name, year: '' })}
    >
      <div className="stack">
        <p>{w.importText}</p>
        <label className="field"><span>{w.file}</span><input className="input" type="file" accept=".csv,.txt,.json" onChange={(event) => void take(event.target.files?.[0])} /></label>
        <label className="field">
          <span>{w.days}</span>
          <textarea className="input calendar-days" rows={8} spellCheck={false} placeholder={SAMPLE} value={written.text} onChange={(event) => put({ text: event.target.value })} />
        </label>
        {fault && <p className="calendar-fault" role="alert">{w.notJson} {fault}</p>}
        {isDocument(written.text) ? !fault && <p>{name ? w.ofDocument(name) : w.noName}</p> : <About of={written} put={put} />}
      </div>
    </Act>
  )
}

/** What a list of days does not say itself. */
function About({ of: written, put }: { of: Written; put: (part: Partial<Written>) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const zones = useId()
  const fields = [['name', common.field.name], ['timezone', w.zone], ['title', `${w.inWords} (${common.field.optional})`], ['last', `${w.last} (${w.lastOtherwise})`]] as const
  return (
    <div className="calendar-about">
      {fields.map(([field, word]) => (
        <label key={field} className="field">
          <span>{word}</span>
          <input className="input" type={field === 'last' ? 'date' : 'text'} list={field === 'timezone' ? zones : undefined} value={written[field]} onChange={(event) => put({ [field]: event.target.value })} />
        </label>
      ))}
      <datalist id={zones}>{ZONES.map((each) => <option key={each} value={each} />)}</datalist>
    </div>
  )
}

function read(written: Written): { name: string; body: Record<string, unknown>; fault?: string } {
  try {
    return importOf(written)
  } catch (error) {
    return { name: '', body: {}, fault: (error as Error).message }
  }
}
