const en = {
  title: 'Approvals', about: (n: number) => (n === 1 ? 'one waits' : `${n} wait`), none: 'Nothing waits for an approval', noneMore: 'A task with an approval waits here, without a worker slot, until somebody answers.',
  question: 'Question', task: 'Task', date: 'Business date', asked: 'Asked', deadline: 'Deadline', then: { approve: 'then approved', reject: 'then rejected' } as Record<string, string>,
  answers: (what: string) => `Answers to ${what}`, approve: 'Approve …', reject: 'Reject …', approveText: 'The task continues. Who answered and why is kept with it.', rejectText: 'The task fails, and what needs it does not run. A retry of the task asks again.',
}
const zh: typeof en = {
  title: '审批', about: (n) => `${n} 项待审批`, none: '没有待审批的任务', noneMore: '需要审批的任务在这里等待答复，期间不占用槽位。',
  question: '问题', task: '任务', date: '业务日期', asked: '提出时间', deadline: '截止时间', then: { approve: '到时视为批准', reject: '到时视为驳回' },
  answers: (what) => `答复 ${what}`, approve: '批准……', reject: '驳回……', approveText: '任务继续运行；答复人和理由会一并保存。', rejectText: '任务失败，依赖它的任务不再运行；重试该任务会再次请求审批。',
}
export const words = { en, zh }
