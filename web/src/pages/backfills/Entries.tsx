// The fields of the dialog that begins a backfill, each with what is wrong with it.
import { useId, type ReactNode } from 'react'
import { useCommon, useWords } from '../../words'
import { words as beginWords } from './beginWords'
import type { BackfillField } from './refused'
import { words } from './words'

/** What was typed. */
export type EntriesOf = Record<Exclude<BackfillField, 'order'>, string> & { order: 'oldest' | 'newest'; onlyMissing: boolean }

/** What stands there first: the server's own choices, and only what is missing. */
export const firstEntries: EntriesOf = { from: '', to: '', calendar: '', order: 'oldest', max_active: '4', priority: '-100', window: '', onlyMissing: true }

interface Props {
  of: EntriesOf
  change: (next: EntriesOf) => void
  faults: Partial<Record<BackfillField, string>>
}

export function Entries({ of, change, faults }: Props) {
  const w = useWords(beginWords)
  const page = useWords(words)
  const common = useCommon()
  const typed = (name: Exclude<BackfillField, 'order'>) => ({ value: of[name], onChange: (event: { target: { value: string } }) => change({ ...of, [name]: event.target.value }) })
  return (
    <>
      <div className="begin-pair">
        <Entry label={common.field.from} fault={faults.from}>{(more) => <input className="input" type="date" autoFocus {...typed('from')} {...more} />}</Entry>
        <Entry label={common.field.to} fault={faults.to}>{(more) => <input className="input" type="date" {...typed('to')} {...more} />}</Entry>
      </div>
      <label><input type="checkbox" checked={of.onlyMissing} onChange={(event) => change({ ...of, onlyMissing: event.target.checked })} /> {w.onlyMissing}</label>
      <div className="begin-pair">
        <Entry label={page.order} fault={faults.order}>
          {(more) => (
            <select className="input" value={of.order} onChange={(event) => change({ ...of, order: event.target.value === 'newest' ? 'newest' : 'oldest' })} {...more}>
              <option value="oldest">{page.orders.oldest}</option>
              <option value="newest">{page.orders.newest}</option>
            </select>
          )}
        </Entry>
        <Entry label={w.calendar} what={w.calendarWhat} fault={faults.calendar}>{(more) => <input className="input" autoComplete="off" placeholder="XSHG" {...typed('calendar')} {...more} />}</Entry>
        <Entry label={page.atOnce} what={w.maxActiveWhat} fault={faults.max_active}>{(more) => <input className="input" inputMode="numeric" autoComplete="off" {...typed('max_active')} {...more} />}</Entry>
        <Entry label={w.priority} what={w.priorityWhat} fault={faults.priority}>{(more) => <input className="input" autoComplete="off" {...typed('priority')} {...more} />}</Entry>
        <Entry label={page.window} what={w.windowWhat} fault={faults.window}>{(more) => <input className="input" autoComplete="off" placeholder="22:00-06:00" {...typed('window')} {...more} />}</Entry>
      </div>
    </>
  )
}

interface EntryProps {
  label: string
  what?: string
  fault?: string
  children: (more: { id: string; 'aria-describedby': string; 'aria-invalid': true | undefined }) => ReactNode
}

function Entry({ label, what, fault, children }: EntryProps) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-describedby': `${id}-about`, 'aria-invalid': fault ? true : undefined })}
      <span id={`${id}-about`} className="form-about">
        {fault && <span className="form-fault" role="alert">{fault}</span>}
        {what && <span>{what}</span>}
      </span>
    </div>
  )
}
