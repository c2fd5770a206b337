// The tab that holds the live stream for all: what it asks for, how it is told to the others, how it is opened again.
import { ApiProblem, call } from './call'
import { readEvents } from './sse'

export interface LiveEvent {
  kind: 'snapshot' | 'delta' | 'log'
  topic: string
  data: Record<string, unknown>
}

/** What tabs tell each other. `want`: what one of them looks at. `state`: what the stream carries; null: it is down. */
export type Message =
  | { type: 'want'; tab: string; topics: string[] }
  | { type: 'who' }
  | { type: 'state'; topics: string[] | null }
  | { type: 'event'; event: LiveEvent }
  | { type: 'resync' }

/** So long others have to say what they want. */
export const SETTLE_MS = 30
/** A topic that nobody wants any more is left after so long: a person may come back to it. */
const LEAVE_MS = 5_000
const ROLL_CALL_MS = 30_000
const LONGEST_WAIT_MS = 30_000

/** What a leader needs of its tab. */
interface Tab {
  own: () => string[]
  /** To all tabs, this one among them; `post`: to the others. */
  tell: (message: Message) => void
  post: (message: Message) => void
}

export class Leader {
  readonly others = new Map<string, string[]>()
  private topics: string[] = []
  private readonly gone = new Set<string>()
  private isOver = false
  private isUp = false
  private failures = 0
  private last: { id: string; of: string } | null = null
  private cut: AbortController | null = null
  private wake: (() => void) | null = null
  private leaving: ReturnType<typeof setTimeout> | undefined
  private readonly roll = setInterval(() => this.callRoll(), ROLL_CALL_MS)

  constructor(private readonly tab: Tab) {
    tab.post({ type: 'who' })
    setTimeout(() => void this.run(), SETTLE_MS)
  }

  stop() {
    this.isOver = true
    clearInterval(this.roll)
    clearTimeout(this.leaving)
    this.cut?.abort()
    this.wake?.()
  }

  /** Somebody wants something else. `ask`: they also want to know what there is. */
  changed(ask = false) {
    const topics = this.union()
    clearTimeout(this.leaving)
    if (topics.some((topic) => !this.topics.includes(topic))) this.again()
    else {
      if (topics.length < this.topics.length) this.leaving = setTimeout(() => this.again(), LEAVE_MS)
      if (ask && this.isUp) this.tab.tell({ type: 'state', topics: this.topics })
    }
  }

  private again() {
    this.cut?.abort()
    this.wake?.()
  }

  /** Tabs that have crashed say nothing; the others do. */
  private callRoll() {
    this.others.clear()
    this.tab.post({ type: 'who' })
    setTimeout(() => this.changed(), 3_000)
  }

  private union() {
    const all = new Set([...this.tab.own(), ...[...this.others.values()].flat()])
    return [...all].filter((topic) => !this.gone.has(topic)).sort().slice(0, 20)
  }

  private async run() {
    while (!this.isOver) {
      this.topics = this.union()
      this.cut = new AbortController()
      const { signal } = this.cut
      const of = this.topics.join()
      let waitMs = 0
      try {
        if (of === '') await this.sleep(ROLL_CALL_MS)
        else waitMs = await this.read(of, signal)
      } catch (error) {
        if (!signal.aborted) waitMs = this.refused(error as ApiProblem)
      }
      if (this.isOver || signal.aborted) continue
      this.down()
      await this.sleep(waitMs)
    }
  }

  /** Reads one stream to its end. How long to wait before the next one, in ms. */
  private async read(of: string, signal: AbortSignal): Promise<number> {
    let waitMs = 0
    const last = this.last?.of === of ? this.last.id : null
    const opened = () => {
      const again = this.failures > 0 && last === null
      this.isUp = true
      this.failures = 0
      this.tab.tell({ type: 'state', topics: of.split(',') })
      if (again) this.tab.tell({ type: 'resync' })
    }
    await readEvents('/stream', { topics: of }, last, signal, opened, ({ id, kind, data }) => {
      if (signal.aborted) return
      if (id !== null) this.last = { id, of }
      if (kind === 'bye') waitMs = 500 + Math.random() * 2_500
      else if (kind === 'resync') this.tab.tell({ type: 'resync' })
      else if (kind === 'snapshot' || kind === 'delta' || kind === 'log') this.tab.tell({ type: 'event', event: { kind, topic: String(data.topic), data } })
    })
    if (!signal.aborted) this.failures += 1
    return waitMs || this.backOff()
  }

  private refused(problem: ApiProblem): number {
    this.failures += 1
    const missing = (problem.errors ?? []).flatMap(({ where }) => (where?.startsWith('topics.') ? [where.slice(7)] : []))
    if (problem.code === 40401 && missing.length > 0) {
      for (const topic of missing) this.gone.add(topic)
      return 0
    }
    // Whoever is not known any more is told so by an ordinary request.
    if (Math.floor(problem.code / 100) === 401) void call('/me').catch(() => undefined)
    if (problem.code === 42903) return 5_000
    return problem.code >= 40000 && problem.code < 50000 ? LONGEST_WAIT_MS : this.backOff()
  }

  private backOff() {
    return Math.min(LONGEST_WAIT_MS, 500 * 2 ** (this.failures - 1)) * (0.5 + Math.random() / 2)
  }

  private down() {
    if (this.isUp) this.tab.tell({ type: 'state', topics: null })
    this.isUp = false
  }

  private sleep(ms: number) {
    return new Promise<void>((done) => {
      const timer = setTimeout(done, ms)
      this.wake = () => { clearTimeout(timer); done() }
    })
  }
}
