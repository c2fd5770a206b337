// Words of the audit.
export const en = {
  title: 'Audit', about: 'Who did what. Entries are written with what they tell, and never change.',
  when: 'When', who: 'Who', what: 'What', object: 'Object', changes: 'What changed', csv: 'Download as CSV',
  whoHint: 'who', anyAction: 'any action', anyType: 'any object', objectHint: 'name or number', time: 'Time', from: 'From', to: 'To',
  spans: { '24h': 'last 24 hours', '': 'last 7 days', '30d': 'last 30 days', all: 'all of it', dates: 'from … to …' } as Record<string, string>,
  none: 'Nothing in this time', noneMore: 'Nobody has done anything that is told here.', widen: 'Look at all of it',
  refused: 'refused', more: (n: number) => `and ${n} more`, nobody: 'nobody', byToken: 'token', bySession: 'session',
  address: 'From where', request: 'Request', command: 'Command', submission: 'Submission', outcome: 'Outcome', field: 'Field', before: 'Before', after: 'After', noChanges: 'It tells no fields.',
  outcomes: { done: 'done', asked: 'asked; the answer stands with the command', rejected: 'refused', refused: 'refused' } as Record<string, string>,
  actions: {} as Record<string, string>,
  types: { workflow: 'workflow', version: 'version', instance: 'run', task: 'task', task_type: 'task type', task_definition: 'task definition', definition: 'task definition', limit: 'limit', principal: 'person', token: 'token', session: 'session', tenant: 'tenant', command: 'command' } as Record<string, string>,
}
const zh: typeof en = {
  title: '审计', about: '谁做了什么操作。记录与操作同时写入，此后不再改变。',
  when: '时间', who: '操作人', what: '操作', object: '对象', changes: '改了什么', csv: '下载 CSV',
  whoHint: '操作人', anyAction: '任意操作', anyType: '任意对象', objectHint: '名称或编号', time: '时间范围', from: '从', to: '到',
  spans: { '24h': '最近 24 小时', '': '最近 7 天', '30d': '最近 30 天', all: '全部', dates: '指定日期' },
  none: '这段时间没有记录', noneMore: '没有需要记录的操作。', widen: '查看全部',
  refused: '被拒绝', more: (n) => `另有 ${n} 项`, nobody: '无', byToken: '令牌', bySession: '会话',
  address: '来源地址', request: '请求 ID', command: '命令', submission: '提交', outcome: '结果', field: '字段', before: '之前', after: '之后', noChanges: '没有字段变化。',
  outcomes: { done: '完成', asked: '已提出；结果见该命令', rejected: '被拒绝', refused: '被拒绝' },
  actions: {
    CREATE: '新建', UPDATE: '修改', DELETE: '删除', ACTIVATE: '激活版本', ARCHIVE: '归档', UNARCHIVE: '取消归档', TRIGGER: '启动', RETRY: '重试', RERUN: '重跑', CANCEL: '终止', PAUSE: '暂停', RESUME: '恢复', SKIP: '跳过', HANDLE: '标记处理', PRIORITY: '优先级',
    COMPENSATE: '补偿', DEFINE_TASK: '定义任务', ENABLE: '启用', DISABLE: '停用', SET_LIMIT: '设置限流', PAUSE_LIMIT: '暂停限流', RESUME_LIMIT: '恢复限流', OPEN_BREAKER: '断开熔断器', CLOSE_BREAKER: '闭合熔断器', LOGIN: '登录', LOGIN_FAILED: '登录失败', LOGIN_LINK: '登录链接', LOGOUT: '退出', TOKEN_CREATE: '新建令牌', TOKEN_REVOKE: '吊销令牌',
  },
  types: { workflow: '工作流', version: '版本', instance: '运行', task: '任务', task_type: '任务类型', task_definition: '任务定义', definition: '任务定义', limit: '限流', principal: '人员', token: '令牌', session: '会话', tenant: '租户', command: '命令' },
}
export const words = { en, zh }
