const en = {
  title: 'Settings', look: 'Look', theme: 'Theme', density: 'Density', dense: 'dense', roomy: 'roomy', language: 'Language', zone: 'Time zone', zoneOther: 'Another zone, such as Europe/Zurich', person: 'You', name: 'Name', role: 'Role', tenant: 'Tenant', version: 'Server', follows: 'These follow you to other computers.', password: 'Password', setPassword: 'Set a password …', changePassword: 'Change the password …', oldPassword: 'Present password', newPassword: 'New password, at least 12 characters', passwordSet: 'It is set.', unknownZone: 'There is no such zone.', example: 'Now it is',
  kinds: { human: 'a person', service: 'a program' } as Record<string, string>,
}
const zh: typeof en = {
  title: '设置', look: '外观', theme: '主题', density: '密度', dense: '紧凑', roomy: '宽松', language: '语言', zone: '时区', zoneOther: '其他时区，例如 Europe/Zurich', person: '我', name: '名称', role: '角色', tenant: '租户', version: '服务器', follows: '这些设置跟随账号，换电脑后仍有效。', password: '密码', setPassword: '设置密码……', changePassword: '修改密码……', oldPassword: '当前密码', newPassword: '新密码，至少 12 个字符', passwordSet: '已设置。', unknownZone: '没有这个时区。', example: '现在是',
  kinds: { human: '人员', service: '程序' },
}
export const words = { en, zh }
