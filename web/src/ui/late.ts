// Lines that come late: an id is given before its transaction commits, so for a while smaller ids may still appear. No network.

/** So long after a line was seen, lines with smaller ids are still looked for; as `qflowd logs -f` does. */
export const OVERLAP_MS = 2_000

/** What was seen at the end of a log, and when. */
export class Late {
  private seen: { id: number; at: number }[] = []

  /** The end of the log was seen: its last line was `last`. `first`: of the lines that came with it, the first. */
  note(first: number, last: number, at: number): void {
    if (this.seen.length === 0) this.seen.push({ id: Math.max(0, first - 1), at })
    if (this.seen.at(-1)!.id < last) this.seen.push({ id: last, at })
  }

  /** Behind which line to look: what comes before it is complete. `last`: the last line that is shown. */
  from(last: number, now: number): number {
    while (now - (this.seen[1]?.at ?? now) >= OVERLAP_MS) this.seen.shift()
    return Math.min(last, this.seen[0]?.id ?? last)
  }
}
