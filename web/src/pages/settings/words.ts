const en = {
  title: 'Settings', look: 'Look', theme: 'Theme', density: 'Density', dense: 'dense', roomy: 'roomy', language: 'Language', zone: 'Time zone', zoneOther: 'Another zone, such as Europe/Zurich', person: 'You', name: 'Name', role: 'Role', tenant: 'Tenant', version: 'Server', follows: 'Language and zone follow you to other computers; theme and density stay on this one.', unknownZone: 'There is no such zone.', example: 'Now it is',
  kinds: { human: 'a person', service: 'a program' } as Record<string, string>,
}
const zh: typeof en = {
  title: '设置', look: '外观', theme: '主题', density: '密度', dense: '紧凑', roomy: '宽松', language: '语言', zone: '时区', zoneOther: '其他时区，例如 Europe/Zurich', person: '我', name: '名称', role: '角色', tenant: '租户', version: '服务器', follows: '语言和时区跟随账号；主题和密度只保存在这台电脑上。', unknownZone: '没有这个时区。', example: '现在是',
  kinds: { human: '人', service: '程序' },
}
export const words = { en, zh }
