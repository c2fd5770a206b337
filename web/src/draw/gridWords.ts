const en = {
  longest: (t: string) => `bar: how long it took, up to ${t}`,
  task: 'Task', column: (id: number, state: string) => `Run ${id}: ${state}`, cell: (task: string, run: number, state: string) => `${task} of run ${run}: ${state}`,
  many: (n: string, failed: string) => `${n} rows, ${failed} failed`, hint: '✓ succeeded   ✕ failed   ⊘ not run: a task before it failed   » skipped. A click or Enter opens a cell, arrows walk.',
  kind: { head: 'per item', child: '↳ workflow', spawned: 'spawned' } as Record<string, string>,
}
const zh: typeof en = {
  longest: (t) => `柱高：耗时，最长 ${t}`,
  task: '任务', column: (id, state) => `运行 ${id}：${state}`, cell: (task, run, state) => `运行 ${run} 的 ${task}：${state}`,
  many: (n, failed) => `${n} 行，${failed} 行失败`, hint: '✓ 成功   ✕ 失败   ⊘ 未运行：上游失败   » 跳过。单击或回车打开格子，方向键移动。',
  kind: { head: '逐项', child: '↳ 工作流', spawned: '派生' },
}
export const words = { en, zh }
