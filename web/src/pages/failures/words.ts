// Words of the failures that wait for a person.
export const en = {
  title: 'Failures',
  about: 'What still needs a person: nothing that has since succeeded or been handled.',
  none: 'Nothing waits for you',
  noneWhat: 'No failure is open.',
  task: 'Task', count: 'Tasks', error: 'Error', newest: 'Newest', first: 'since', lastGood: 'last good',
  retry: 'Retry', retryAll: (n: string) => `Retry ${n}`, handle: 'Mark as handled', handleOne: 'Handled',
  log: 'Log', run: 'Run',
  failed: 'failed', attempts: (n: number) => (n === 1 ? '1 attempt' : `${n} attempts`),
  more: 'Show more',
  handleTitle: (n: string) => `Mark ${n} as handled?`,
  handleWhat: 'They leave this list. The tasks stay as they are and can still be retried.',
  resolution: 'How', fixed: 'fixed', ignored: 'may be ignored', note: 'Note',
  noteHint: 'what was done, a ticket',
  retryTitle: (n: string) => `Retry ${n}?`,
  retryWhat: 'They run again with a new attempt, then what waits for them.',
  keys: 'j k move · Enter open · r retry · h handle',
}
export type FailureWords = typeof en
export const zh: FailureWords = {
  title: '失败',
  about: '仍需要人处理的失败：之后已成功或已处理的不在这里。',
  none: '没有需要处理的失败',
  noneWhat: '没有未处理的失败。',
  task: '任务', count: '任务数', error: '错误', newest: '最近', first: '始于', lastGood: '上次成功',
  retry: '重试', retryAll: (n) => `重试 ${n} 个`, handle: '标记为已处理', handleOne: '已处理',
  log: '日志', run: '运行',
  failed: '失败于', attempts: (n) => `${n} 次尝试`,
  more: '显示更多',
  handleTitle: (n) => `把 ${n} 个标记为已处理？`,
  handleWhat: '它们离开这个列表；任务保持不变，仍可重试。',
  resolution: '方式', fixed: '已修复', ignored: '可忽略', note: '备注',
  noteHint: '做了什么、工单号',
  retryTitle: (n) => `重试 ${n} 个？`,
  retryWhat: '以新的一次尝试重新运行，等待它们的任务随后运行。',
  keys: 'j k 移动 · Enter 打开 · r 重试 · h 处理',
}
export const words = { en, zh }
