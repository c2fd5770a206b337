// Saved views: a menu that sets all filters at once, keeps the present ones under a name, and forgets them.
import { Bookmark, BookmarkPlus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useQuerySet } from '../../api/address'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Menu, type MenuItem } from '../../ui/Menu'
import { useKept } from '../../ui/useKept'
import { useCommon, useWords } from '../../words'
import { isEmpty, type Filter } from './filters'
import { filtersOf, queryTextOf, withoutView, withView, type View } from './views'
import { words } from './words'

const GIVEN = { failedToday: 'state=FAILED&since=24h', underWay: 'state=READY%2CRUNNING%2CPAUSED', byPeople: 'trigger_type=api&since=7d' } as const

export function Views({ filter }: { filter: Filter }) {
  const w = useWords(words)
  const set = useQuerySet()
  const [kept, keep] = useKept<View[]>('runs.views', [])
  const [naming, setNaming] = useState(false)
  const present = queryTextOf(filter)
  const item = (word: string, query: string): MenuItem => ({ word, icon: Bookmark, chosen: query === present, act: () => set(filtersOf({ query })) })
  const chosen = kept.find((view) => view.query === present)
  const given = (Object.keys(GIVEN) as (keyof typeof GIVEN)[]).map((name) => item(w.views[name]!, GIVEN[name]))
  return (
    <>
      <Menu
        title={w.viewsTitle} label={chosen?.name ?? w.viewsTitle} icon={Bookmark}
        items={[
          ...given,
          ...kept.map((view) => item(view.name, view.query)),
          ...(!isEmpty(filter) && !chosen ? [{ word: w.saveView, icon: BookmarkPlus, act: () => setNaming(true) }] : []),
          ...(chosen ? [{ word: w.dropView(chosen.name), icon: Trash2, danger: true, act: () => keep(withoutView(kept, chosen.name)) }] : []),
        ]}
      />
      {naming && <Naming onClose={() => setNaming(false)} done={(name) => keep(withView(kept, { name, query: present }))} />}
    </>
  )
}

function Naming({ onClose, done }: { onClose: () => void; done: (name: string) => void }) {
  const w = useWords(words)
  const common = useCommon()
  const [name, setName] = useState('')
  const ready = name.trim() !== ''
  return (
    <Dialog
      title={w.saveView.replace(/ ?…+$/, '')} onClose={onClose} onSubmit={() => { if (ready) { done(name.trim()); onClose() } }}
      foot={<><Button onClick={onClose}>{common.do.cancel}</Button><Button type="submit" look="main" disabled={!ready}>{common.do.save}</Button></>}
    >
      <label className="field"><span>{common.field.name}</span><input className="input" value={name} maxLength={60} autoFocus onChange={(event) => setName(event.target.value)} /></label>
      <p className="muted">{w.viewsWhere}</p>
    </Dialog>
  )
}
