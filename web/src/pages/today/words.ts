const en = {
  failing: 'Failing now', failingNote: (n: string) => `${n} not handled`, running: 'Running', next: 'Next', daemons: 'Daemons', files: 'Files that do not load',
  today: 'today', tileFailed: 'failed tasks, not handled', tileRunning: 'runs under way', tileGood: 'runs succeeded, 24 h', tileWait: 'longest wait now', tileNext: 'next run', tileUntil: (workflow: string) => `until ${workflow}`, tileSlots: 'slots busy',
  well: 'Nothing failed', wellMore: 'No failure waits for a person.',
  due: 'Late or at risk', isLate: 'late', atRisk: 'at risk', allLate: 'All late dates', dueBy: 'expected by', notStarted: 'nothing has started',
  idle: 'Nothing runs', idleMore: 'What is due stands under Next.',
  noFires: 'No schedule is active', noFiresMore: 'A workflow gets one by these lines:',
  noDaemons: 'No daemon is alive', noRuns: 'No run yet', noRunsMore: 'Start one from the command line:',
  waits: 'waits:', task: 'Task', error: 'Error',
  progress: 'progress', all: 'All daemons', allRuns: 'All runs', allFailures: 'All failures', memory: (mb: string) => `memory ${mb}`, kiosk: 'Wall screen', leave: 'Leave the wall screen', none: 'none',
}
const zh: typeof en = {
  failing: '当前失败', failingNote: (n) => `${n} 个未处理`, running: '正在运行', next: '即将运行', daemons: '守护进程', files: '加载失败的文件',
  today: '今日', tileFailed: '未处理的失败任务', tileRunning: '进行中的运行', tileGood: '24 小时内成功的运行', tileWait: '当前最长排队时间', tileNext: '下一次运行', tileUntil: (workflow) => `距 ${workflow} 运行`, tileSlots: '已占用槽位',
  well: '没有失败', wellMore: '没有需要处理的失败。',
  due: '逾期或有风险', isLate: '逾期', atRisk: '有风险', allLate: '全部逾期', dueBy: '应完成于', notStarted: '尚未启动',
  idle: '当前没有运行', idleMore: '即将开始的运行见“即将运行”。',
  noFires: '没有启用的调度', noFiresMore: '在工作流里加这几行：',
  noDaemons: '没有在线的守护进程', noRuns: '还没有运行过', noRunsMore: '在命令行启动一个：',
  waits: '等待：', task: '任务', error: '错误',
  progress: '进度', all: '全部守护进程', allRuns: '全部运行', allFailures: '全部失败', memory: (mb) => `内存 ${mb}`, kiosk: '大屏', leave: '退出大屏', none: '无',
}
export const words = { en, zh }
