const en = {
  title: 'Backfills', about: (n: number) => (n === 1 ? 'one is open' : `${n} are open`), none: 'No backfill yet', noneMore: 'A backfill runs a workflow for each session of a range, a few at a time and behind other work.',
  workflow: 'Workflow', state: 'State', range: 'Dates', progress: 'Progress', left: 'Time left', created: 'Asked for', order: 'Order', orders: { newest: 'newest first', oldest: 'oldest first' } as Record<string, string>,
  atOnce: 'At once', most: (n: number, priority: number) => `at most ${n}, with priority ${priority}`, window: 'Window', by: 'Asked for by', sessions: (name: string) => `sessions of ${name}`, days: 'every day', onlyMissing: 'only missing ones',
  done: 'done', failed: 'failed', skipped: 'skipped', active: 'active', waiting: 'waiting', dates: 'Dates and their runs', date: 'Date', took: 'Took', run: 'Run',
  begin: 'Begin …', pause: 'Pause …', resume: 'Resume …', stop: 'Stop …',
  pauseText: (active: string, _: string) => `No date begins any more until it is resumed; ${active} that run continue.`, resumeText: (_: string, waiting: string) => `The next of ${waiting} dates begin.`, stopText: (_: string, waiting: string) => `${waiting} dates that wait are not run. It cannot be resumed.`,
  terminate: (n: string) => `terminate the ${n} that run`,
}
const zh: typeof en = {
  title: '补数', about: (n) => `${n} 个未结束`, none: '还没有补数', noneMore: '补数按日期范围逐个交易日运行工作流，每次几个，优先级低于其他运行。',
  workflow: '工作流', state: '状态', range: '日期', progress: '进度', left: '剩余时间', created: '提交时间', order: '顺序', orders: { newest: '从新到旧', oldest: '从旧到新' },
  atOnce: '并行', most: (n, priority) => `最多 ${n} 个，优先级 ${priority}`, window: '时段', by: '提交人', sessions: (name) => `${name} 的交易日`, days: '每一天', onlyMissing: '只补缺失的',
  done: '完成', failed: '失败', skipped: '跳过', active: '运行中', waiting: '等待', dates: '日期及其运行', date: '日期', took: '用时', run: '运行',
  begin: '开始……', pause: '暂停……', resume: '恢复……', stop: '停止……',
  pauseText: (active) => `恢复之前不再开始新的日期；正在运行的 ${active} 个继续。`, resumeText: (_, waiting) => `继续运行等待中的 ${waiting} 个日期。`, stopText: (_, waiting) => `等待中的 ${waiting} 个日期不再运行，之后不能恢复。`,
  terminate: (n) => `终止正在运行的 ${n} 个`,
}
export const words = { en, zh }
