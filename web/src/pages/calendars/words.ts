// Words of the trading calendars.
import { count } from '../../format'
import type { Kind } from './year'

const en = {
  title: 'Calendars', about: (n: number) => `${n} trading calendars`,
  short: (days: number) => (days < 0 ? 'horizon past' : `${days} d left`),
  product: 'Product', ofExchange: 'the exchange: its longest nights', year: 'Year', earlier: 'Earlier year', later: 'Later year',
  sessions: (n: number, year: number) => `${n} sessions in ${year}`, workdays: (n: number, year: number) => `${n} work days in ${year}`,
  hint: 'Point at a day, or walk with the arrow keys.', signs: 'Signs', today: 'today', month: 'Month', sum: 'Sum', inMonth: (month: string, n: number) => `${month}: ${n}`,
  kinds: {
    session: 'session', half: 'half day, or other hours than usual', dayOnly: 'session without a night before it', extra: 'work day on a weekend',
    closed: 'closed on a weekday', weekend: 'weekend', unknown: 'not known',
  } as Record<Kind, string>,
  workKinds: { session: 'work day', closed: 'day off on a weekday' } as Partial<Record<Kind, string>>,
  night: 'Night', hours: 'Hours', nightIn: (zone: string) => `Night (${zone})`, hoursIn: (zone: string) => `Hours (${zone})`,
  next: 'Next sessions', nextWork: 'Next work days', session: 'Session', work: 'Work day', here: 'For me', half: 'half day', noNight: 'none',
  noNext: 'Nothing is known of what comes next.',
  known: (first: string, last: string, days: number) => `Known from ${first} to ${last}, its horizon: ${count(days)} days from today.`,
  soon: (days: number, last: string, own: boolean) => `Only ${days} more days are known, until ${last}. ${own ? 'Import it anew' : 'Update qflowd'} before then: past its horizon a calendar guesses nothing, and schedules on it hold.`,
  past: (last: string, own: boolean) => `Nothing is known after ${last}: past this horizon schedules on it hold. ${own ? 'Import it anew' : 'Update qflowd'}.`,
  source: 'Source', ownSource: (source: string) => (source ? `imported, ${source}` : 'imported'),
  overrides: (year: number) => `Overridden days of ${year}`, noOverrides: 'No day is overridden: all are as the calendar says.',
  override: 'Override a day', overrideText: 'Says what a day is, whatever the calendar says. Schedules are planned anew at once.',
  day: 'Day', is: 'It is', says: { closed: 'closed', half: 'half day', open: 'open' }, reason: 'Reason', hoursOf: (zone: string) => `Hours (${zone})`,
  restore: 'Restore', restoreText: (day: string) => `${day} becomes what the calendar says. Schedules are planned anew at once.`,
}
const zh: typeof en = {
  title: '交易日历', about: (n) => `共 ${n} 个交易日历`,
  short: (days) => (days < 0 ? '已过截止日' : `剩 ${days} 天`),
  product: '品种', ofExchange: '交易所：夜盘最长的品种', year: '年份', earlier: '上一年', later: '下一年',
  sessions: (n, year) => `${year} 年共 ${n} 个交易日`, workdays: (n, year) => `${year} 年共 ${n} 个工作日`,
  hint: '指向某一天，或用方向键移动。', signs: '图例', today: '今天', month: '月份', sum: '合计', inMonth: (month, n) => `${month}：${n}`,
  kinds: {
    session: '交易日', half: '半日市，或交易时间与平时不同', dayOnly: '交易日，前一晚无夜盘', extra: '周末上班',
    closed: '非周末休市', weekend: '周末', unknown: '未知',
  },
  workKinds: { session: '工作日', closed: '非周末放假' },
  night: '夜盘', hours: '交易时间', nightIn: (zone) => `夜盘（${zone}）`, hoursIn: (zone) => `交易时间（${zone}）`,
  next: '接下来的交易日', nextWork: '接下来的工作日', session: '交易日', work: '工作日', here: '我的时间', half: '半日市', noNight: '无',
  noNext: '接下来的日期尚不可知。',
  known: (first, last, days) => `已知范围：${first} 至 ${last}（数据截止日），距今 ${count(days)} 天。`,
  soon: (days, last, own) => `只剩 ${days} 天的数据，到 ${last} 为止。请在此之前${own ? '重新导入' : '升级 qflowd'}：截止日之后日历不作任何猜测，依赖它的调度会挂起。`,
  past: (last, own) => `${last}（数据截止日）之后的日期未知：依赖它的调度已挂起。请${own ? '重新导入' : '升级 qflowd'}。`,
  source: '来源', ownSource: (source) => (source ? `导入，${source}` : '导入'),
  overrides: (year) => `${year} 年的临时调整`, noOverrides: '没有临时调整：每一天都以日历为准。',
  override: '调整某一天', overrideText: '无论日历怎么写，以此为准。相关调度会立即重新安排。',
  day: '日期', is: '改为', says: { closed: '休市', half: '半日市', open: '开市' }, reason: '原因', hoursOf: (zone) => `交易时间（${zone}）`,
  restore: '恢复', restoreText: (day) => `${day} 恢复为日历所写。相关调度会立即重新安排。`,
}
export const words = { en, zh }
