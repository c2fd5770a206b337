const en = {
  title: 'Workflows', new: 'New', find: 'Key begins with', domain: 'Domain', tag: 'Tag', anyDomain: 'All domains', order: 'Order', byName: 'By name', redFirst: 'Failing first',
  workflow: 'Workflow', runs: 'Last 14 runs, how long', longest: (t: string) => `max ${t}`, last: 'Last run', next: 'Next', open: 'Open', fileFault: 'file has an error', fileFaultMore: 'The last good version runs. ',
  off: 'off', archived: 'archived', withArchived: 'With archived', warns: 'lacks something', canary: (n: number) => `canary ${n} %`, noVersion: 'has never loaded', draftOnly: 'draft',
  neverRan: 'never ran', noSchedule: 'by hand', emptyTitle: 'No workflow yet', emptyMore: 'Put a file into the folder workflows/. It is live a second later. Or make one here: New.',
  runTitle: (id: number, date: string, state: string, took: string) => `#${id} ${date}\n${state}, ${took}`,
  start: 'Start …', pause: 'Pause …', resume: 'Resume …', actions: (key: string) => `Actions for ${key}`,
  pauseText: (key: string) => `Nothing new of ${key} begins: its open runs stop between two tasks, and its schedules wait.`,
  resumeText: (key: string) => `${key} continues where it stood, and its schedules fire again.`,
  count: (n: number, more: boolean) => `${n}${more ? '+' : ''} workflows`, failingCount: (n: number) => `${n} failing`,
}
const zh: typeof en = {
  title: '工作流', new: '新建', find: '标识以……开头', domain: '领域', tag: '标签', anyDomain: '全部领域', order: '排序', byName: '按名称', redFirst: '失败在前',
  workflow: '工作流', runs: '最近 14 次运行及耗时', longest: (t) => `最长 ${t}`, last: '上次运行', next: '下次', open: '未结束', fileFault: '文件有错误', fileFaultMore: '当前运行的是上一个正确的版本。',
  off: '停用', archived: '已归档', withArchived: '含已归档', warns: '缺少依赖', canary: (n) => `灰度 ${n} %`, noVersion: '从未加载成功', draftOnly: '草稿',
  neverRan: '从未运行', noSchedule: '手动', emptyTitle: '还没有工作流', emptyMore: '把文件放进 workflows/ 目录，一秒后即生效；也可以在这里新建。',
  runTitle: (id, date, state, took) => `#${id} ${date}\n${state}，${took}`,
  start: '启动…', pause: '暂停…', resume: '恢复…', actions: (key) => `${key} 的操作`,
  pauseText: (key) => `${key} 不再开始新的任务：未结束的运行在两个任务之间停下，调度也等待。`,
  resumeText: (key) => `${key} 从停下的地方继续，调度恢复触发。`,
  count: (n, more) => `${n}${more ? '+' : ''} 个工作流`, failingCount: (n) => `${n} 个失败`,
}
export const words = { en, zh }
