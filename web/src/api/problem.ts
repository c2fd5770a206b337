// What the API says when it refuses, apart from how it is asked.
export interface Fault {
  where?: string | null
  message: string
  remedy?: string | null
}

/** What the API refused, or what kept us from asking. `code` 0: no answer at all. */
export class ApiProblem extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly errors: Fault[] = [],
    readonly request: string | null = null,
    readonly data: unknown = null,
  ) {
    super(message)
  }
}
