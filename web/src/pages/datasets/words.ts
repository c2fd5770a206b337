const en = {
  title: 'Datasets', about: 'What tasks have produced, the newest first.', name: 'Name or series', nameHint: 'cn_daily', none: 'No dataset yet',
  noneMore: 'A task that produces a dataset records a new version of it each time it succeeds, with what it returned.',
  version: 'Version', date: 'Business date', recorded: 'Recorded', by: 'By', stale: 'Stale uses', staleOf: (n: number, shown: string) => (n === 1 ? 'A task was given a version that is not the latest.' : `${shown} tasks were given a version that is not the latest.`),
  versions: 'Versions', latest: 'latest', metadata: 'Returned', uses: 'Who was given which', nobody: 'No task has waited for it.', given: 'Given', isStale: 'stale', isLatest: (version: number) => `the latest is ${version}`, when: 'When',
}
const zh: typeof en = {
  title: '数据集', about: '任务产出的数据，最新的在前。', name: '名称或系列', nameHint: 'cn_daily', none: '还没有数据集',
  noneMore: '声明了产出数据集的任务，每次成功都会记录一个新版本，并保存其返回值。',
  version: '版本', date: '业务日期', recorded: '记录时间', by: '产出任务', stale: '过时的使用', staleOf: (_, shown) => `${shown} 个任务拿到的不是最新版本。`,
  versions: '版本', latest: '最新', metadata: '返回值', uses: '谁用了哪个版本', nobody: '没有任务等待过它。', given: '所用版本', isStale: '过时', isLatest: (version) => `最新版本是 ${version}`, when: '时间',
}
export const words = { en, zh }
