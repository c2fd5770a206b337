const en = {
  title: 'Jobs & plugins', jobs: 'Jobs', find: 'Find a job', job: 'Job', file: 'File', daemons: 'Daemons', state: 'State', params: 'Parameters', error: 'Error', none: 'No job is known', noneMore: 'Put a file into plugins/. It is live a second later, without a restart:', faulty: 'Files that do not load', lastGood: 'the last good version runs', withdrawn: 'withdrawn', required: 'required', noParams: 'none', doc: 'What it does', settings: 'Settings', schema: 'Schema', run: 'Run it', all: (n: number) => `${n} jobs`,
}
const zh: typeof en = {
  title: '作业与插件', jobs: '作业', find: '查找作业', job: '作业', file: '文件', daemons: '守护进程', state: '状态', params: '参数', error: '错误', none: '还没有作业', noneMore: '把文件放进 plugins/，一秒后生效，无需重启：', faulty: '加载失败的文件', lastGood: '当前运行的是上一个正确的版本', withdrawn: '已撤下', required: '必填', noParams: '无', doc: '说明', settings: '设置', schema: '参数 Schema', run: '运行', all: (n) => `${n} 个作业`,
}
export const words = { en, zh }
