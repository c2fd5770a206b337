// 各页共用的词；某页自己的词在它的目录里（words.ts）。
import type { Words } from './en'

export const zh: Words = {
  app: 'qflowd',
  nav: {
    today: '今日', workflows: '工作流', runs: '运行', failures: '失败', late: '逾期', approvals: '审批', schedules: '调度', backfills: '补数', datasets: '数据集', jobs: '作业与插件', daemons: '守护进程',
    limits: '限流', types: '任务类型', definitions: '任务定义', calendars: '交易日历', audit: '审计', access: '访问控制', api: '接口', settings: '设置', main: '页面', skip: '跳到正文', fold: '收起侧栏', unfold: '展开侧栏', menu: '菜单',
  },
  top: { search: '搜索工作流、任务、运行', zone: '时区', language: '语言', theme: '主题', person: '我', signOut: '退出', tenant: '租户', ownTenant: '自己的租户', help: '快捷键与图例' },
  theme: { system: '跟随系统', light: '浅色', dark: '深色' },
  zone: { browser: '本机时区', utc: 'UTC', city: { Shanghai: '上海', 'Hong Kong': '香港', Tokyo: '东京', London: '伦敦', 'New York': '纽约' } },
  state: {
    PENDING: '等待 PENDING', READY: '就绪 READY', HELD: '挂起 HELD', RESERVED: '已领取 RESERVED', RUNNING: '运行中 RUNNING', SUCCESS: '成功 SUCCESS', FAILED: '失败 FAILED',
    SKIPPED: '跳过 SKIPPED', UPSTREAM_FAILED: '上游失败 UPSTREAM FAILED', CANCELLED: '已取消 CANCELLED', PAUSED: '已暂停 PAUSED', TERMINATED: '已终止 TERMINATED',
    DRAFT: '草稿 DRAFT', ACTIVE: '生效 ACTIVE', ARCHIVED: '已归档 ARCHIVED', STARTING: '启动中 STARTING', STOPPING: '正在停止 STOPPING', GONE: '已退出 GONE',
    OPEN: '断开 OPEN', CLOSED: '正常 CLOSED', HALF_OPEN: '试探 HALF OPEN', REJECTED: '已拒绝 REJECTED', MISSED: '错过 MISSED', DONE: '完成 DONE', STOPPED: '已停止 STOPPED', ACCEPTED: '已接受 ACCEPTED',
  },
  meaning: {
    PENDING: '等待上游任务或某个时刻', READY: '在队列里', HELD: '已就绪，但被暂停', RESERVED: '已被守护进程领取，即将开始',
    RUNNING: '正在运行', SUCCESS: '正常结束', FAILED: '最后一次尝试失败', SKIPPED: '未运行：条件不满足或人工跳过',
    UPSTREAM_FAILED: '未运行：上游任务失败', CANCELLED: '所在的运行被终止', PAUSED: '不再开始新的任务', TERMINATED: '被人工或截止时间终止', DAEMON_READY: '在线，可领取任务',
  },
  do: {
    retry: '重试', pause: '暂停', resume: '恢复', start: '启动', terminate: '终止', cancel: '取消', close: '关闭', clear: '清除筛选',
    copy: '复制', copied: '已复制', again: '重新尝试', more: '更多', older: '更早', newer: '更新', save: '保存', reload: '重新加载',
    open: '打开', show: '显示', asks: (word) => `${word}…`,
  },
  field: { reason: '原因', optional: '选填', state: '状态', workflow: '工作流', task: '任务', job: '作业', run: '运行', dataset: '数据集', name: '名称', from: '从', to: '到', all: '全部' },
  slots: { claimed: '超出槽位的已认领任务：有空闲槽位即开始，或刚刚结束' },
  empty: { nothing: '这里还没有内容', noMatch: '没有符合筛选条件的内容' },
  problem: {
    title: '操作失败', request: '请求 ID', network: '连不上服务器。', stale: (age) => `数据是 ${age}前的，正在重新连接`,
    noPage: '没有这个页面', toToday: '前往“今日”页面', role: (tenant) => `租户 ${tenant} 的管理员可以代做，或在“访问控制 › 人员”里提升你的角色。`,
    crash: '页面无法显示，其余页面不受影响。',
  },
  codes: {
    40101: '尚未登录。', 40102: '令牌不存在、已过期或已吊销。', 40103: '会话已结束。',
    40301: '你的角色不允许这样做。', 40305: '这台服务器是只读的。', 40401: '没有这个对象（或已被删除）。',
    42901: '请求太多，请稍等。', 42902: '配额已用完。', 50301: '数据库不可用。', 50302: '这个查询代价太大，请缩小范围。', 50303: '服务器尚未就绪。', 50304: '服务器的连接太多，请稍等。',
  },
  bell: {
    title: '等待处理', unread: (n) => `等待处理：${n} 条未读`, readAll: '全部标为已读', none: '没有等待处理的事项。',
    kind: { failure: '失败', late: '逾期', approval: '等待审批', file: '无法加载', horizon: '数据截止日', token: '令牌即将到期', no_daemon: '没有守护进程' },
  },
  bar: { noDaemon: '没有在线的守护进程，任务不会运行。', noDaemonSince: (when) => `最后一次心跳：${when}。`, noDaemonDo: '启动一个：', otherTenant: '正在查看租户', readOnly: '只读：这里不能修改任何内容。', newer: '服务器已升级。' },
  time: {
    never: '从未', now: '刚刚', ago: (t) => `${t}前`, in: (t) => `${t}后`, loading: '加载中',
    day: (n) => `${n} 天`, hour: (n) => `${n} 小时`, minute: (n) => `${n} 分钟`, second: (n) => `${n} 秒`,
  },
  keys: { title: '快捷键', signs: '图例', search: '搜索', goTo: '前往', help: '这个列表', rows: '下一行、上一行', open: '打开', close: '关闭',
    places: [
      ['运行列表', [[['t'], '启动运行'], [['x'], '选中这一行']]],
      ['单个运行', [[['r'], '重试'], [['p'], '暂停、恢复'], [['l'], '日志'], [['[', ']'], '更早、更新的运行'], [['Esc'], '关闭任务']]],
      ['流程图', [[['←', '→', '↑', '↓'], '沿连线移动'], [['f'], '适应窗口'], [['+', '-'], '放大、缩小'], [['u'], '展开全部任务、折叠']]],
      ['甘特图', [[['←', '→'], '更早、更晚'], [['+', '-'], '放大、缩小'], [['0'], '全部时间'], [['c'], '关键路径']]],
      ['日志', [[['G'], '到末尾'], [['g', 'g'], '到开头'], [['n', 'N'], '下一处、上一处命中'], [['e'], '下一个错误'], [['w'], '自动换行'], [['y'], '复制']]],
      ['交易日历', [[['[', ']'], '上一年、下一年'], [['←', '→', '↑', '↓'], '在日期间移动'], [['⏎'], '调整这一天']]],
      ['编辑器', [[['a'], '在其后添加任务'], [['Del'], '删除任务'], [['Ctrl Z', 'Ctrl Y'], '撤销、重做'], [['Ctrl ⏎'], '发布']]],
      ['失败', [[['r'], '重试'], [['h'], '标记为已处理'], [['m'], '静音']]],
    ],
  },
  login: {
    title: '登录', name: '用户名', password: '密码', signIn: '登录', withCode: '正在登录……',
    badCode: '这个链接已用过或已过期。重新生成一个：', hint: '没有密码？用下面的命令生成登录链接：',
  },
}
