// Words of the dialog that begins a backfill.
const en = {
  title: (workflow: string) => `Backfill ${workflow}`, pick: 'Begin a backfill', onlyMissing: 'Only missing dates: leave out those with a good run, or an open one',
  calendar: 'Calendar', calendarWhat: 'Left empty: that of the workflow; if it has none, every day.',
  maxActiveWhat: 'Runs that are open at once.', priority: 'Priority', priorityWhat: 'Of its runs, -1000 to 1000; -100 is behind other work.',
  windowWhat: 'Times of day at which runs begin, 22:00-06:00.', look: 'Count the dates', begin: (n: string) => `Begin: ${n}`, params: 'Params', needed: 'A date is needed.', noNumber: 'This is not a whole number.',
  counting: 'The dates are being counted.', noAnswer: 'It is not answered yet. A daemon has to run: qflowd run.',
  would: (n: number, dates: string, what: string) => (n === 1 ? `1 date would run (${what}).` : `${dates} dates would run (${what}).`), leftOut: (n: string) => `With a good run already, or an open one, and left out: ${n}.`, again: (n: string) => `With a good run already, or an open one, and run again: ${n}.`,
  nothing: (n: string, what: string) => `Nothing is missing: each date has a good run, or an open one (${n}, ${what}).`,
}
const zh: typeof en = {
  title: (workflow) => `补数 ${workflow}`, pick: '开始补数', onlyMissing: '只补缺失的日期：已成功或尚未结束的不再运行',
  calendar: '日历', calendarWhat: '不填：用工作流的日历；没有日历则为每一天。',
  maxActiveWhat: '同时未结束的运行数。', priority: '优先级', priorityWhat: '-1000 到 1000；-100 低于其他运行。',
  windowWhat: '只在这段时间开始运行，如 22:00-06:00。', look: '计算日期', begin: (n) => `开始：${n} 个`, params: '参数', needed: '请填写日期。', noNumber: '不是整数。',
  counting: '正在计算日期。', noAnswer: '还没有结果。需要有守护进程在运行：qflowd run。',
  would: (_, dates, what) => `将运行 ${dates} 个日期（${what}）。`, leftOut: (n) => `${n} 个日期已成功或尚未结束，不再运行。`, again: (n) => `其中 ${n} 个日期已成功或尚未结束，将再次运行。`,
  nothing: (n, what) => `没有缺失：全部 ${n} 个日期都已成功或尚未结束（${what}）。`,
}
export const words = { en, zh }
