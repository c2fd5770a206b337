// The desk of a draft: what a task can run on the left, three views of the draft in the middle, a form on the right, faults below.
import { Redo2, Rocket, Undo2 } from 'lucide-react'
import { lazy, Suspense, useRef, useState } from 'react'
import { useQueryState } from '../../api/address'
import { useKeys } from '../../keys'
import { Button } from '../../ui/Button'
import { Head } from '../../ui/Panel'
import { Fence, Waiting } from '../../ui/Problem'
import { Tabs } from '../../ui/Tabs'
import { useCommon, useWords } from '../../words'
import { Conflict } from './Conflict'
import { freeKey, tasksOf, type Body } from './document'
import { Faults } from './Faults'
import { HeadForm } from './HeadForm'
import { Palette } from './Palette'
import { Publish } from './Publish'
import { TaskForm } from './TaskForm'
import { TaskList } from './TaskList'
import { Above, Notices, SavedSign } from './Top'
import { useDraft, useDraftState, useWatch, type Version } from './useDraft'
import { words } from './words'

const EditGraph = lazy(() => import('./EditGraph'))
const Yaml = lazy(() => import('./Yaml'))
const VIEWS = ['list', 'graph', 'text'] as const

export function Desk({ version }: { version: Version }) {
  const w = useWords(words)
  const common = useCommon()
  const draft = useDraft()
  const state = useDraftState()
  useWatch(draft)
  const [view, setView] = useQueryState('view', 'list')
  const [task, setTask] = useQueryState('task')
  const [after, setAfter] = useState<string | null>(null)
  const [publishing, setPublishing] = useState(false)
  const find = useRef<HTMLInputElement>(null)
  const tasks = tasksOf(state.document)
  const chosen = task in tasks ? task : null

  const add = (wanted: string, body: Body) => {
    const key = freeKey(state.document, wanted)
    draft.edit({ kind: 'add', key, body: after !== null && after in tasks ? { ...body, after: [after] } : body })
    setAfter(null)
    setTask(key)
  }
  const remove = (key: string) => {
    draft.edit({ kind: 'remove', key })
    draft.type(`task:${key}`, undefined)
    setTask('')
  }
  const addAfter = (key: string) => {
    setAfter(key)
    find.current?.focus()
  }
  useKeys({
    'Ctrl+z': () => draft.undo(), 'Ctrl+y': () => draft.redo(), 'Ctrl+Z': () => draft.redo(), 'Ctrl+Enter': () => setPublishing(true),
    a: () => (chosen === null ? find.current?.focus() : addAfter(chosen)),
    Delete: () => chosen !== null && remove(chosen),
    Escape: () => (after === null ? setTask('') : setAfter(null)),
  })
  return (
    <div className="editor">
      <Head
        name={w.title(version.workflow, version.version)} title={typeof state.document.title === 'string' && state.document.title ? state.document.title : version.workflow} above={<Above workflow={version.workflow} version={version.version} />}
        actions={
          <>
            <SavedSign />
            <Button icon={Undo2} look="bare" title={w.undo} disabled={state.history.past.length === 0} onClick={() => draft.undo()} />
            <Button icon={Redo2} look="bare" title={w.redo} disabled={state.history.future.length === 0} onClick={() => draft.redo()} />
            <Button icon={Rocket} look="main" onClick={() => setPublishing(true)}>{common.do.asks(w.publish)}</Button>
          </>
        }
      />
      <Notices version={version} toYaml={() => setView('text')} />
      <div className="editor-room">
        <Palette find={find} add={add} after={after} forgetAfter={() => setAfter(null)} own={version.workflow} />
        <section className="editor-middle" aria-label={w.views}>
          <Tabs label={w.views} chosen={view} choose={setView} tabs={VIEWS.map((name) => ({ name, word: w[name] }))} />
          <div className="editor-view" role="tabpanel" aria-label={view}>
            <Fence name={view}>
              <Suspense fallback={<Waiting lines={5} />}>
                {view === 'graph' ? <EditGraph chosen={chosen} choose={setTask} addAfter={addAfter} remove={remove} /> : view === 'text' ? <Yaml /> : <TaskList chosen={chosen} choose={setTask} />}
              </Suspense>
            </Fence>
          </div>
          {view !== 'text' && <Faults choose={setTask} />}
        </section>
        <aside className="editor-side" aria-label={chosen ?? w.head}>
          {chosen === null ? <HeadForm /> : <TaskForm key={chosen} task={chosen} choose={setTask} remove={() => remove(chosen)} addAfter={() => addAfter(chosen)} />}
        </aside>
      </div>
      {publishing && <Publish version={version} onClose={() => setPublishing(false)} />}
      {state.theirs && <Conflict />}
    </div>
  )
}
