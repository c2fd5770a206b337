const en = {
  grid: 'Grid', year: 'Calendar', graph: 'Graph', versions: 'Versions', schedule: 'Schedules', source: 'Source', tabs: 'Views of the workflow',
  start: 'Start', pause: 'Pause', resume: 'Resume', version: (n: number) => `version ${n}`, file: 'file', archived: 'archived', off: 'off',
  next: 'next', byHand: 'no schedule: started by hand', fileFault: 'The file has an error; the last good version runs.', neverLoaded: 'The file has never loaded.', lacks: 'It lacks:',
  neverRan: 'Never ran', neverRanMore: 'Start it here, or from the command line:', older: 'Older runs', newest: 'Newest runs',
  moreRows: (n: number) => `${n} more tasks are not shown`,

  oneVersion: 'One version: nothing to compare', oneVersionMore: 'A change of its file makes the second, or a draft.', number: 'Version', state: 'State', created: 'Made', createdBy: 'by', note: 'Note', share: 'Share', compare: 'Compare', against: 'with', hash: 'Hash',
  activate: 'Activate', activateTitle: (n: number) => `Activate version ${n}`, activateText: (n: number) => `New runs take version ${n} from now on. Runs that are open keep theirs.`, weight: 'Share of new runs in %',
  activateFirst: (n: number) => `Version ${n} is the first: new runs take it from now on.`, activateShare: (n: number, weight: number, active: number) => `${weight} % of new runs take version ${n}, the others version ${active}. Runs that are open keep theirs.`,
  rollBack: 'Roll back', rollBackTitle: (n: number) => `Roll back to version ${n}`, look: 'Look at it', copyDraft: 'Copy to draft', archive: 'Put away', archiveTitle: (n: number) => `Put draft ${n} away`, archiveText: 'It stays readable and can be activated, but is edited no more.',
  drop: 'Remove', dropTitle: (n: number) => `Remove draft ${n}`, dropText: 'The draft is gone for good.', more: (n: number) => `Actions for version ${n}`, faults: (n: number) => (n === 1 ? '1 fault' : `${n} faults`),
  changes: { added: 'added', removed: 'removed', renamed: 'renamed', changed: 'changed' } as Record<string, string>, whole: 'workflow', same: 'No difference', textDiff: 'Text', pickTwo: 'Choose two versions',
  yaml: 'YAML', toml: 'TOML', json: 'JSON', fromFile: (f: string) => `Written in ${f}. A change there is live a second later.`, edit: 'Edit',
  cron: 'Times', zone: 'Zone', nextFire: 'Next', lastFire: 'Last', waits: 'Waits', noSchedule: 'No schedule', setBy: (by: string) => `set by ${by}`, fileSays: (times: string) => `its file says ${times}`, noScheduleMore: 'These lines in its file make one:', name: 'Name',
  earlierYear: 'Earlier year', laterYear: 'Later year', month: 'Month', signs: 'Signs', noSession: 'no session', runs: (n: number) => `${n} runs`, gaps: (n: number) => (n === 0 ? 'no gaps' : n === 1 ? '1 gap' : `${n} gaps`),
  days: { good: 'a good run', open: 'a run that has not ended', bad: 'failed or terminated', missing: 'a session without a run', coming: 'a session that is not due, or before the first run', none: 'no session' },
  noGraph: 'No version of it can be drawn.',
}
const zh: typeof en = {
  grid: '网格', year: '日历', graph: '流程图', versions: '版本', schedule: '调度', source: '源文件', tabs: '工作流的视图',
  start: '启动', pause: '暂停', resume: '恢复', version: (n) => `版本 ${n}`, file: '文件', archived: '已归档', off: '停用',
  next: '下次', byHand: '没有调度：手动启动', fileFault: '文件有错误；当前运行的是上一个正确的版本。', neverLoaded: '文件从未加载成功。', lacks: '缺少：',
  neverRan: '从未运行', neverRanMore: '在这里启动，或用命令行：', older: '更早的运行', newest: '最新的运行',
  moreRows: (n) => `还有 ${n} 个任务未显示`,

  oneVersion: '只有一个版本，没有可比较的', oneVersionMore: '修改文件或发布草稿会产生第二个。', number: '版本', state: '状态', created: '创建于', createdBy: '创建者', note: '备注', share: '占比', compare: '比较', against: '与', hash: '哈希',
  activate: '激活', activateTitle: (n) => `激活版本 ${n}`, activateText: (n) => `从现在起新的运行使用版本 ${n}；未结束的运行保留原版本。`, weight: '新运行的占比 %',
  activateFirst: (n) => `版本 ${n} 是第一个：从现在起新的运行使用它。`, activateShare: (n, weight, active) => `${weight} % 的新运行使用版本 ${n}，其余使用版本 ${active}；未结束的运行保留原版本。`,
  rollBack: '回滚', rollBackTitle: (n) => `回滚到版本 ${n}`, look: '查看', copyDraft: '复制为草稿', archive: '归档', archiveTitle: (n) => `归档草稿 ${n}`, archiveText: '仍可查看和激活，但不能再编辑。',
  drop: '删除', dropTitle: (n) => `删除草稿 ${n}`, dropText: '草稿将被彻底删除。', more: (n) => `版本 ${n} 的操作`, faults: (n) => `${n} 个错误`,
  changes: { added: '新增', removed: '删除', renamed: '改名', changed: '修改' }, whole: '工作流', same: '没有差异', textDiff: '文本', pickTwo: '请选择两个版本',
  yaml: 'YAML', toml: 'TOML', json: 'JSON', fromFile: (f) => `写在 ${f} 里，修改后一秒内生效。`, edit: '编辑',
  cron: '时间', zone: '时区', nextFire: '下次', lastFire: '上次', waits: '等待', noSchedule: '没有调度', setBy: (by) => `由 ${by} 修改`, fileSays: (times) => `文件里是 ${times}`, noScheduleMore: '在文件里加这几行即可：', name: '名称',
  earlierYear: '上一年', laterYear: '下一年', month: '月份', signs: '图例', noSession: '非交易日', runs: (n) => `${n} 次运行`, gaps: (n) => (n === 0 ? '没有缺口' : `${n} 个缺口`),
  days: { good: '运行成功', open: '运行未结束', bad: '失败或已终止', missing: '交易日没有运行', coming: '未到期的交易日，或在首次运行之前', none: '非交易日' },
  noGraph: '没有可以显示流程图的版本。',
}
export const words = { en, zh }
