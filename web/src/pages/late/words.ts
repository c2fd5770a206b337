const en = {
  title: 'Late', about: (n: number) => `${n} late`, none: 'Nothing is late', noneEver: 'Nothing has been late', noneMore: 'A workflow that says by when its runs are expected is listed here when a business date has no good run by then, also one for which nothing has started.',
  workflow: 'Workflow', date: 'Business date', expected: 'Expected by', there: 'What is there', nothing: 'nothing has started', ended: 'Not late since', ever: 'Also what is not late any more',
}
const zh: typeof en = {
  title: '逾期', about: (n) => `${n} 个业务日期逾期`, none: '没有逾期', noneEver: '没有出现过逾期', noneMore: '工作流可以声明运行最晚何时完成；到时仍没有成功运行的业务日期会列在这里，尚未启动的也算。',
  workflow: '工作流', date: '业务日期', expected: '应完成时间', there: '当前情况', nothing: '尚未启动', ended: '解除时间', ever: '包括已解除的逾期',
}
export const words = { en, zh }
