// Words that several pages share. A page's own words stand in its folder, in `words.ts`.
export const en = {
  app: 'qflowd',
  nav: {
    today: 'Today', workflows: 'Workflows', runs: 'Runs', failures: 'Failures', late: 'Late', approvals: 'Approvals', schedules: 'Schedules', backfills: 'Backfills', datasets: 'Datasets', jobs: 'Jobs & plugins', daemons: 'Daemons',
    limits: 'Limits', types: 'Types', definitions: 'Definitions', calendars: 'Calendars', audit: 'Audit', access: 'Access', api: 'API', settings: 'Settings', main: 'Pages', skip: 'Skip to the page',
    fold: 'Fold the bar', unfold: 'Unfold the bar', menu: 'Menu',
  },
  top: { search: 'Search workflows, tasks, runs', zone: 'Time zone', language: 'Language', theme: 'Theme', person: 'You', signOut: 'Sign out', tenant: 'Tenant', ownTenant: 'Your own tenant', help: 'Keys and signs' },
  theme: { system: 'As the system', light: 'Light', dark: 'Dark' },
  zone: { browser: "This computer's", utc: 'UTC', city: {} as Record<string, string> },
  state: {
    PENDING: 'PENDING', READY: 'READY', HELD: 'HELD', RESERVED: 'RESERVED', RUNNING: 'RUNNING', SUCCESS: 'SUCCESS', FAILED: 'FAILED',
    SKIPPED: 'SKIPPED', UPSTREAM_FAILED: 'UPSTREAM FAILED', CANCELLED: 'CANCELLED', PAUSED: 'PAUSED', TERMINATED: 'TERMINATED',
    DRAFT: 'DRAFT', ACTIVE: 'ACTIVE', ARCHIVED: 'ARCHIVED', STARTING: 'STARTING', STOPPING: 'STOPPING', GONE: 'GONE',
    OPEN: 'OPEN', CLOSED: 'CLOSED', HALF_OPEN: 'HALF OPEN', REJECTED: 'REJECTED', MISSED: 'MISSED', DONE: 'DONE', STOPPED: 'STOPPED', ACCEPTED: 'ACCEPTED',
  } as Record<string, string>,
  meaning: {
    PENDING: 'waits for tasks before it or for a time', READY: 'in its queue', HELD: 'ready, but paused', RESERVED: 'taken by a daemon, about to begin',
    RUNNING: 'runs', SUCCESS: 'ended well', FAILED: 'its last attempt failed', SKIPPED: 'left out: a condition, or a person',
    UPSTREAM_FAILED: 'not run: a task before it failed', CANCELLED: 'its run was terminated', PAUSED: 'begins nothing new', TERMINATED: 'ended by a person or a deadline', DAEMON_READY: 'alive, takes work',
  } as Record<string, string>,
  do: {
    retry: 'Retry', pause: 'Pause', resume: 'Resume', start: 'Start', terminate: 'Terminate', cancel: 'Cancel', close: 'Close', clear: 'Clear filters',
    copy: 'Copy', copied: 'Copied', again: 'Try again', more: 'More', older: 'Older', newer: 'Newer', save: 'Save', reload: 'Reload',
    open: 'Open', show: 'Show', asks: (word: string) => `${word} …`,
  },
  field: { reason: 'Reason', optional: 'optional', state: 'State', workflow: 'Workflow', task: 'Task', job: 'Job', run: 'Run', dataset: 'Dataset', name: 'Name', from: 'From', to: 'To', all: 'all' },
  slots: { claimed: 'claimed beyond the slots: they begin when one is free, or have just ended' },
  empty: { nothing: 'Nothing here yet', noMatch: 'Nothing matches these filters' },
  problem: {
    title: 'That did not work', request: 'Request', network: 'The server cannot be reached.', stale: (age: string) => `${age} old, reconnecting`,
    noPage: 'There is no such page', toToday: 'To the page Today', role: (tenant: string) => `An administrator of tenant ${tenant} can do it, or give you the role: Access, People.`,
    crash: 'This page failed to draw. The rest still works.',
  },
  codes: {
    40101: 'You are not signed in.', 40102: 'This token is unknown, has expired or was revoked.', 40103: 'Your session has ended.',
    40301: 'Your role does not allow this.', 40305: 'This server is read-only.', 40401: 'There is no such thing (any more).',
    42901: 'Too many requests: wait a moment.', 42902: 'A quota is used up.', 50301: 'The database is away.', 50302: 'That question is too expensive: narrow it.', 50303: 'The server is not ready.', 50304: 'The server has too many connections: wait a moment.',
  } as Record<number, string>,
  bell: {
    title: 'What waits for you', unread: (n: string) => `What waits for you: ${n} not read`, readAll: 'Mark all as read', none: 'Nothing waits for you.',
    kind: { failure: 'failed', late: 'late', approval: 'waits for approval', file: 'does not load', horizon: 'known only until', token: 'token ends soon', no_daemon: 'No daemon' },
  },
  bar: { noDaemon: 'No daemon is alive: nothing will run.', noDaemonSince: (when: string) => `The last one was seen ${when}.`, noDaemonDo: 'Start one:', otherTenant: 'You look at tenant', readOnly: 'Read-only: nothing can be changed here.', newer: 'The server has been upgraded.' },
  time: {
    never: 'never', now: 'just now', ago: (t: string) => `${t} ago`, in: (t: string) => `in ${t}`, loading: 'Loading',
    day: (n: number) => `${n} d`, hour: (n: number) => `${n} h`, minute: (n: number) => `${n} min`, second: (n: string) => `${n} s`,
  },
  keys: {
    title: 'Keys', signs: 'Signs', search: 'search', goTo: 'go to', help: 'this list', rows: 'next, previous row', open: 'open', close: 'close',
    places: [
      ['Runs', [[['t'], 'start a run'], [['x'], 'select the row']]],
      ['A run', [[['r'], 'retry'], [['p'], 'pause, resume'], [['l'], 'log'], [['[', ']'], 'older, newer run'], [['Esc'], 'close the task']]],
      ['Graph', [[['←', '→', '↑', '↓'], 'walk along the edges'], [['f'], 'fit all in'], [['+', '-'], 'closer, further'], [['u'], 'show all tasks, fold them']]],
      ['Gantt chart', [[['←', '→'], 'earlier, later'], [['+', '-'], 'closer, further'], [['0'], 'all of the time'], [['c'], 'critical path']]],
      ['Log', [[['G'], 'to the end'], [['g', 'g'], 'to the beginning'], [['n', 'N'], 'next, previous hit'], [['e'], 'next error'], [['w'], 'wrap lines'], [['y'], 'copy']]],
      ['Calendars', [[['[', ']'], 'earlier, later year'], [['←', '→', '↑', '↓'], 'walk over the days'], [['⏎'], 'override the day']]],
      ['Editor', [[['a'], 'a task after this one'], [['Del'], 'remove the task'], [['Ctrl Z', 'Ctrl Y'], 'undo, redo'], [['Ctrl ⏎'], 'publish']]],
      ['Failures', [[['r'], 'retry'], [['h'], 'mark as handled'], [['m'], 'mute']]],
    ] as [string, [string[], string][]][],
  },
  login: {
    title: 'Sign in', name: 'Name', password: 'Password', signIn: 'Sign in', withCode: 'You are being signed in …',
    badCode: 'This link has been used or is too old. Make a new one:', hint: 'Have you no password? A link that signs you in is made by:',
  },
}
export type Words = typeof en
