const en = {
  title: 'API', note: 'Every call of this server. A token is made by `qflowd token create`; it stands in the header Authorization.', find: 'Find a call', method: 'Method', params: 'Parameters', name: 'Name', body: 'Body', answer: 'Answer', call: 'Call it', codes: 'Codes', code: 'Code', status: 'HTTP', meaning: 'Meaning', document: 'openapi.json', none: 'No call matches', count: (n: number) => `${n} calls`, required: 'required', errors: 'Refusals', noRole: 'nobody',
}
const zh: typeof en = {
  title: '接口', note: '这台服务器的全部调用。令牌由 `qflowd token create` 生成，放在 Authorization 请求头里。', find: '查找调用', method: '方法', params: '参数', name: '名称', body: '请求体', answer: '响应', call: '调用示例', codes: '错误码', code: '错误码', status: 'HTTP', meaning: '含义', document: 'openapi.json', none: '没有匹配的调用', count: (n) => `${n} 个调用`, required: '必填', errors: '可能的错误', noRole: '无需登录',
}
export const words = { en, zh }
