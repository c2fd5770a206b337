const en = {
  title: 'Limits', empty: 'No limit yet', emptyMore: 'A task that names one makes it; how many slots it has is set here or in the configuration.', name: 'Limit', used: 'Used', waiting: 'Waiting', rates: 'Rates', breaker: 'Breaker', source: 'Set by', set: 'Set …', pause: 'Pause …', resume: 'Resume …', close: 'Close breaker …', open: 'Open breaker …', actions: (n: string) => `Actions for ${n}`,
  paused: 'paused', until: 'until', by: 'by', freesAt: 'next', setTitle: (n: string) => `Set limit ${n}`, setText: 'How many tasks may hold it at once, on all daemons together. What runs is not stopped.', slots: 'Slots',
  pauseText: (n: string) => `Nothing that needs ${n} begins until it is resumed. What runs continues.`, resumeText: (n: string) => `What waits for ${n} may begin again.`, closeText: (n: string) => `The breaker of ${n} is closed: what waits begins at once, without a trial.`, openText: (n: string) => `The breaker of ${n} is opened: nothing that needs it begins until it closes.`,
  sources: { command: 'a person', config: 'configuration', pattern: 'a pattern', default: 'nobody: one slot' } as Record<string, string>, waitingNote: (n: string) => `${n} tasks wait`,
}
const zh: typeof en = {
  title: '限流', empty: '还没有限流项', emptyMore: '任务引用某个名称时自动产生；槽位数在这里或配置文件里设置。', name: '限流项', used: '已用', waiting: '等待', rates: '速率', breaker: '熔断器', source: '来源', set: '设置……', pause: '暂停……', resume: '恢复……', close: '闭合熔断器……', open: '断开熔断器……', actions: (n) => `${n} 的操作`,
  paused: '已暂停', until: '直到', by: '操作人', freesAt: '下一个', setTitle: (n) => `设置限流 ${n}`, setText: '所有守护进程合计最多有多少任务同时占用它；正在运行的不受影响。', slots: '槽位',
  pauseText: (n) => `在恢复之前，需要 ${n} 的任务都不开始；正在运行的继续。`, resumeText: (n) => `等待 ${n} 的任务可以开始。`, closeText: (n) => `闭合 ${n} 的熔断器：等待的任务立即开始，不再试探。`, openText: (n) => `断开 ${n} 的熔断器：闭合之前需要它的任务都不开始。`,
  sources: { command: '人工', config: '配置', pattern: '通配规则', default: '未设置：一个槽位' }, waitingNote: (n) => `${n} 个任务在等待`,
}
export const words = { en, zh }
