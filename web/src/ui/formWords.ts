// Words of the form that is made from a schema.
export const en = {
  needed: 'is needed',
  noInteger: 'is not a whole number',
  noNumber: 'is not a number',
  noJson: (why: string) => `is not JSON: ${why}`,
  json: 'JSON',
  optional: 'optional',
  default: (value: string) => `default: ${value}`,
  example: (value: string) => `for example ${value}`,
  yes: 'yes',
  no: 'no',
  unset: '(default)',
  none: '(none)',
  addRow: 'Add',
  dropRow: (n: number) => `Remove row ${n}`,
  noParams: 'This workflow takes no params.',
  expression: 'expression',
}
export type Words = typeof en
export const zh: Words = {
  needed: '必填',
  noInteger: '不是整数',
  noNumber: '不是数字',
  noJson: (why) => `不是 JSON：${why}`,
  json: 'JSON',
  optional: '可不填',
  default: (value) => `默认值：${value}`,
  example: (value) => `例如 ${value}`,
  yes: '是',
  no: '否',
  unset: '（默认值）',
  none: '（无）',
  addRow: '添加',
  dropRow: (n) => `删除第 ${n} 行`,
  noParams: '这个工作流没有参数。',
  expression: '表达式',
}
export const words = { en, zh }
