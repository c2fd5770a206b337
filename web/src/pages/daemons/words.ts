const en = {
  title: 'Daemons', none: 'No daemon is alive', noneMore: 'Nothing runs until one does. Start one on any host that reaches the database:', name: 'Name', host: 'Host', version: 'Version', slots: 'Slots', memory: 'Memory', jobs: 'Jobs', seen: 'Last seen', up: 'Up for', state: 'State',
  mixed: 'Daemons of different versions run. That is fine during an upgrade, and only then.', faulty: (n: number) => `${n} faulty files`, pools: 'Pools', pool: 'Pool', daemon: 'Daemon', processes: 'Processes', threads: 'Threads each', busy: 'Busy', ready: 'Waiting for it', total: (n: number) => `${n} alive`,
}
const zh: typeof en = {
  title: '守护进程', none: '没有在线的守护进程', noneMore: '没有它什么都不会运行。在任何能连到数据库的主机上启动一个：', name: '名称', host: '主机', version: '版本', slots: '槽位', memory: '内存', jobs: '作业', seen: '最近心跳', up: '已运行', state: '状态',
  mixed: '守护进程的版本不一致：仅在升级期间可以这样。', faulty: (n) => `${n} 个文件有错误`, pools: '资源池', pool: '资源池', daemon: '守护进程', processes: '进程数', threads: '每进程线程', busy: '占用', ready: '等待它的任务', total: (n) => `${n} 个在线`,
}
export const words = { en, zh }
