// Words of task types and task definitions.
export const en = {
  title: { type: 'Types', definition: 'Definitions' } as Record<string, string>,
  about: { type: 'A job with the params that it takes and how it is run: what definitions and workflows are made of.', definition: 'A type or a job with values: a task that any workflow may name.' } as Record<string, string>,
  add: { type: 'New type …', definition: 'New definition …' } as Record<string, string>, find: 'Name contains', archived: 'with archived ones', isArchived: 'archived',
  none: { type: 'No type yet', definition: 'No definition yet' } as Record<string, string>, noneMore: 'Make one here, or put a file like this beside those of workflows:',
  name: 'Name', of: 'Of', job: 'Job', type: 'Type', params: 'Params', source: 'From', changed: 'Changed', by: (who: string) => `by ${who}`, file: 'file', person: 'a person', faulty: 'file has an error', noParams: 'none', settings: 'Settings', noSettings: 'as the job says',
  param: 'Param', kind: 'Kind', fallback: 'Default', value: 'Value', needed: 'must be given', other: 'as in JSON', paramTitle: 'Title',
  usedBy: 'Used by', unused: 'Nothing uses it.', definitions: 'Definitions', workflows: 'Workflows', note: 'Note',
  tryIt: 'Try it …', tryWord: 'Run it', tryTitle: (name: string) => `Try ${name}`, tryText: (job: string) => `Runs ${job} once by itself, with these params. Settings such as retries are those of the job.`, expressions: (names: string) => `${names}: the value stands for something of a workflow. Give one here.`,
  edit: 'Change …', save: 'Save', editTitle: (name: string) => `Change ${name}`, fileNote: 'Its file says otherwise from now on. When the file changes, the file holds again.', follow: 'Workflows that use it get a new version, which is active. If one of them does not fit, nothing is changed.',
  drop: 'Delete …', dropWord: 'Delete', dropTitle: (name: string) => `Delete ${name}?`, dropText: 'Nothing uses it, so nothing else changes.', dropFile: 'It comes from a file: remove it there.', dropUsed: 'It cannot be deleted while this uses it:',
  addParam: 'Add a param', dropParam: (name: string) => `Remove param ${name}`, asJson: 'Params as JSON', asForm: 'Params as a form', settingsHint: '{ "retries": 3, "timeout": "10m" }', noJson: (why: string) => `This is not JSON: ${why}`, pick: 'choose …', typeOrJob: 'Type or job',
}
const zh: typeof en = {
  title: { type: '任务类型', definition: '任务定义' },
  about: { type: '一个作业加上它的参数和运行方式；定义和工作流由它构成。', definition: '带取值的类型或作业：任何工作流都可以引用的任务。' },
  add: { type: '新建类型……', definition: '新建定义……' }, find: '名称包含', archived: '含已归档', isArchived: '已归档',
  none: { type: '还没有任务类型', definition: '还没有任务定义' }, noneMore: '在这里新建，或在工作流文件旁边放一个这样的文件：',
  name: '名称', of: '基于', job: '作业', type: '类型', params: '参数', source: '来源', changed: '修改于', by: (who) => `${who} 修改`, file: '文件', person: '人工', faulty: '文件有错误', noParams: '无', settings: '设置', noSettings: '按作业的设置',
  param: '参数', kind: '种类', fallback: '默认值', value: '取值', needed: '必填', other: '见 JSON', paramTitle: '标题',
  usedBy: '使用者', unused: '没有使用者。', definitions: '任务定义', workflows: '工作流', note: '备注',
  tryIt: '试运行……', tryWord: '运行', tryTitle: (name) => `试运行 ${name}`, tryText: (job) => `用这些参数单独运行一次 ${job}；重试等设置按作业本身。`, expressions: (names) => `${names}：取值来自工作流，请在这里填写。`,
  edit: '修改……', save: '保存', editTitle: (name) => `修改 ${name}`, fileNote: '从现在起与文件不同；文件改变后以文件为准。', follow: '使用它的工作流得到新的生效版本；若有一个不适用，则全部不改。',
  drop: '删除……', dropWord: '删除', dropTitle: (name) => `删除 ${name}？`, dropText: '没有使用者，不影响其他内容。', dropFile: '它来自文件：请在文件中删除。', dropUsed: '它还在被使用，不能删除：',
  addParam: '添加参数', dropParam: (name) => `删除参数 ${name}`, asJson: '参数以 JSON 编辑', asForm: '参数以表单编辑', settingsHint: '{ "retries": 3, "timeout": "10m" }', noJson: (why) => `不是 JSON：${why}`, pick: '请选择……', typeOrJob: '类型或作业',
}
export const words = { en, zh }
