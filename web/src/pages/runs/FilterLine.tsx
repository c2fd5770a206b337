// The line of filters above the runs. What is chosen stands in the address at once; what is typed, after a moment.
import { useQuerySet } from '../../api/address'
import { INSTANCE_STATES } from '../../ui/states'
import { Button } from '../../ui/Button'
import { Filters } from '../../ui/Panel'
import { StateButtons } from '../../ui/StateButtons'
import { Typed } from '../../ui/Typed'
import { useCommon, useWords } from '../../words'
import { isEmpty, toggled, type Filter } from './filters'
import { words } from './words'

export function FilterLine({ filter }: { filter: Filter }) {
  const w = useWords(words)
  const common = useCommon()
  const set = useQuerySet()
  const states = filter.state === '' ? [] : filter.state.split(',')
  return (
    <Filters>
      <StateButtons label={w.state} states={INSTANCE_STATES} chosen={states} turn={(state) => set({ state: toggled(filter.state, state) })} />
      <span className="filters-more">
        <Typed label={w.workflow} hint={w.workflowHint} value={filter.workflow} write={(workflow) => set({ workflow })} />
        <Typed label={common.field.name} hint={w.nameHint} value={filter.name} write={(name) => set({ name })} />
        <input className="input" type="date" aria-label={w.date} title={w.date} value={filter.business_date} onChange={(event) => set({ business_date: event.target.value })} />
        <select className="input" aria-label={w.since} value={filter.since} onChange={(event) => set({ since: event.target.value })}>
          <option value="">{w.anyTime}</option>
          {Object.entries(w.last).map(([value, word]) => <option key={value} value={value}>{word}</option>)}
        </select>
        <select className="input" aria-label={w.trigger} value={filter.trigger_type} onChange={(event) => set({ trigger_type: event.target.value })}>
          <option value="">{w.anyTrigger}</option>
          {Object.entries(w.triggers).map(([value, word]) => <option key={value} value={value}>{word}</option>)}
        </select>
        {!isEmpty(filter) && <Button look="bare" onClick={() => set({ state: '', workflow: '', business_date: '', since: '', trigger_type: '', name: '' })}>{common.do.clear}</Button>}
      </span>
    </Filters>
  )
}
