const en = {
  longest: (t: string) => `bar: how long it took, up to ${t}`,
  task: 'Task', column: (id: number, state: string) => `Run ${id}: ${state}`, cell: (task: string, run: number, state: string) => `${task} of run ${run}: ${state}`,
  many: (n: string, failed: string) => `${n} rows, ${failed} failed`, hint: 'A cell says which task of which run, and how it went; a click opens it. Arrows walk, Enter opens.',
  kind: { head: 'per item', child: '↳ workflow', spawned: 'spawned' } as Record<string, string>,
}
const zh: typeof en = {
  longest: (t) => `柱高：耗时，最长 ${t}`,
  task: '任务', column: (id, state) => `运行 ${id}：${state}`, cell: (task, run, state) => `运行 ${run} 的 ${task}：${state}`,
  many: (n, failed) => `${n} 行，${failed} 行失败`, hint: '格子显示哪次运行的哪个任务及其结果，单击打开；方向键移动，回车打开。',
  kind: { head: '逐项', child: '↳ 工作流', spawned: '派生' },
}
export const words = { en, zh }
