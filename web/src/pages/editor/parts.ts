// Which fields the forms of a task and of a workflow's head have, in which groups.
import { fieldOf, type Field, type Schema } from '../../ui/schemaFields'
import type { EditorWords } from './words'
import type { Part } from './formModel'

const TEXT: Schema = { type: 'string' }
const WHOLE: Schema = { type: 'integer' }
const ANY: Schema = {}
const choice = (...values: string[]): Schema => ({ enum: values })
const example = (schema: Schema, value: string): Schema => ({ ...schema, examples: [value] })

const SETTINGS: [keyof EditorWords & ('when' | 'failure' | 'place' | 'map' | 'undoing'), Record<string, Schema>][] = [
  ['when', { when: example(TEXT, 'load.output.rows > 0'), trigger_rule: choice('all_success', 'all_done', 'any_success', 'none_failed', 'always') }],
  ['failure', { retries: WHOLE, retry_delay: example(TEXT, '30s'), backoff: choice('fixed', 'exponential'), retry_max_delay: example(TEXT, '10m'), jitter: { type: 'number' }, timeout: example(TEXT, '5m'), on_failure: choice('fail', 'continue'), retry: choice('automatic', 'manual') }],
  ['place', { pool: TEXT, priority: WHOLE, memory: example(TEXT, '2GB'), limits: example(ANY, '{"vendor": 1}') }],
  ['map', { map: example(ANY, '{{ load.output.symbols }}'), label: example(TEXT, '{{ item }}'), chunk: WHOLE, max_parallel: WHOLE, tolerate: example(ANY, '{"fail_pct": 5}'), max_spawn: WHOLE }],
  ['undoing', { compensate: TEXT, compensate_on: choice('start', 'success'), run_on: choice('terminate') }],
]

/** Keys of a task that stand in the form's head, or among its edges. */
export const TASK_ELSEWHERE = ['job', 'task', 'workflow', 'after']
export const HEAD_ELSEWHERE = ['workflow', 'tasks']

function fieldsFrom(schemas: Record<string, Schema>, w: EditorWords): Field[] {
  return Object.entries(schemas).map(([name, schema]) => {
    const field = fieldOf(name, { ...schema, title: w.fields[name] ?? name }, false)
    return { ...field, options: field.options.map((option) => ({ ...option, label: w.choices[String(option.value)] ?? option.label })) }
  })
}

/** `params`: of the job; null if nothing is known of them. */
export function taskParts(params: Field[] | null, w: EditorWords): Part[] {
  return [
    { name: 'about', title: '', fields: fieldsFrom({ title: TEXT }, w) },
    params === null
      ? { name: 'params', title: w.params, fields: [{ ...fieldOf('params', {}, false), title: w.params }] }
      : { name: 'params', title: w.params, inside: 'params', fields: params },
    ...SETTINGS.map(([name, schemas]) => ({ name, title: w[name], fields: fieldsFrom(schemas, w) })),
    { name: 'more', title: w.more, fields: [], isRest: true },
  ]
}

export function headParts(w: EditorWords): Part[] {
  return [
    { name: 'about', title: '', fields: fieldsFrom({ title: TEXT, description: { type: 'string', maxLength: 20_000 }, domain: TEXT, type: TEXT, tags: { type: 'array', items: TEXT } }, w) },
    { name: 'starting', title: w.starting, fields: fieldsFrom({ params: example(ANY, '{"day": {"type": "string", "format": "date"}}'), calendar: example(TEXT, 'XSHG'), schedule: example(ANY, '{"cron": "30 16 * * mon-fri", "timezone": "Asia/Shanghai"}') }, w) },
    { name: 'running', title: w.running, fields: fieldsFrom({ timeout: example(TEXT, '2h'), concurrency: example(ANY, '{"max": 1}'), defaults: example(ANY, '{"retries": 2}'), saga: ANY, outputs: ANY, enabled: { type: 'boolean' } }, w) },
    { name: 'more', title: w.more, fields: [], isRest: true },
  ]
}
