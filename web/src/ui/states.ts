// One table: which sign and which colour a state has. Never colour alone; `Chip` adds the word.
import { Archive, Ban, Check, CircleDashed, CircleSlash, Clock, Dot, Loader, Pause, PencilLine, SkipForward, Unplug, X, type LucideIcon } from 'lucide-react'

export type Tone = 'good' | 'bad' | 'busy' | 'wait' | 'held' | 'odd'
interface Sign {
  tone: Tone
  icon: LucideIcon
}

const table: Record<string, Sign> = {
  PENDING: { tone: 'wait', icon: Clock },
  READY: { tone: 'wait', icon: CircleDashed },
  HELD: { tone: 'held', icon: Pause },
  RESERVED: { tone: 'busy', icon: CircleDashed },
  RUNNING: { tone: 'busy', icon: Loader },
  SUCCESS: { tone: 'good', icon: Check },
  FAILED: { tone: 'bad', icon: X },
  SKIPPED: { tone: 'wait', icon: SkipForward },
  UPSTREAM_FAILED: { tone: 'odd', icon: CircleSlash },
  CANCELLED: { tone: 'held', icon: Ban },
  PAUSED: { tone: 'held', icon: Pause },
  TERMINATED: { tone: 'held', icon: Ban },
  DRAFT: { tone: 'held', icon: PencilLine },
  ACTIVE: { tone: 'good', icon: Check },
  ARCHIVED: { tone: 'wait', icon: Archive },
  DAEMON_READY: { tone: 'good', icon: Check },
  STARTING: { tone: 'busy', icon: CircleDashed },
  STOPPING: { tone: 'held', icon: Pause },
  GONE: { tone: 'bad', icon: Unplug },
  OPEN: { tone: 'bad', icon: Unplug },
  HALF_OPEN: { tone: 'held', icon: CircleDashed },
  CLOSED: { tone: 'good', icon: Check },
  DONE: { tone: 'good', icon: Check },
  STOPPED: { tone: 'held', icon: Ban },
  REJECTED: { tone: 'bad', icon: X },
  MISSED: { tone: 'bad', icon: X },
}

/** `of`: whose state, where the word alone does not tell: READY is good of a daemon, and waiting of a task. */
export const signOf = (state: string, of?: 'DAEMON'): Sign => table[`${of}_${state}`] ?? table[state] ?? { tone: 'wait', icon: Dot }

/** States in the order of a bar of counts: what is done first, what waits last. */
export const ORDER = ['SUCCESS', 'SKIPPED', 'FAILED', 'UPSTREAM_FAILED', 'CANCELLED', 'TERMINATED', 'RUNNING', 'RESERVED', 'HELD', 'PAUSED', 'READY', 'PENDING']
export const ENDED = new Set(['SUCCESS', 'FAILED', 'SKIPPED', 'UPSTREAM_FAILED', 'CANCELLED', 'TERMINATED'])
export const INSTANCE_STATES = ['READY', 'RUNNING', 'PAUSED', 'SUCCESS', 'FAILED', 'TERMINATED']
export const TASK_STATES = ['PENDING', 'READY', 'HELD', 'RESERVED', 'RUNNING', 'SUCCESS', 'FAILED', 'SKIPPED', 'UPSTREAM_FAILED', 'CANCELLED']
