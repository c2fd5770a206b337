// Words of the dialog that starts a workflow.
export const en = {
  title: (workflow: string) => `Start ${workflow}`,
  pick: 'Start a workflow',
  workflow: 'Workflow',
  none: 'No workflow is stored yet. Put a file into workflows/, or submit one.',
  date: 'Business date',
  dateWhat: 'Left empty: none.',
  name: 'Name',
  nameWhat: 'To find this run by.',
  start: 'Start',
  asJson: 'Edit as JSON',
  asForm: 'Edit as a form',
  noJson: (why: string) => `This is not JSON: ${why}`,
  again: (id: number) => `Params are those of run ${id}.`,
  faults: (n: number) => (n === 1 ? 'One field needs another look.' : `${n} fields need another look.`),
}
export type StartWords = typeof en
export const zh: StartWords = {
  title: (workflow) => `启动 ${workflow}`,
  pick: '启动工作流',
  workflow: '工作流',
  none: '还没有工作流。把文件放进 workflows/，或提交一个。',
  date: '业务日期',
  dateWhat: '不填：没有业务日期。',
  name: '名称',
  nameWhat: '便于以后查找。',
  start: '启动',
  asJson: '以 JSON 编辑',
  asForm: '以表单编辑',
  noJson: (why) => `不是 JSON：${why}`,
  again: (id) => `参数取自运行 ${id}。`,
  faults: (n) => `有 ${n} 个字段需要检查。`,
}
export const words = { en, zh }
