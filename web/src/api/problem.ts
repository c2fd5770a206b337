// What the API says when it refuses, apart from how it is asked.
export interface Fault {
  where?: string | null
  message: string
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

/** No answer, or none that says what is wrong with the question: it may be there the next time. */
export const isPassing = (error: unknown) => !(error instanceof ApiProblem) || error.code === 0 || error.code >= 50000 || Math.floor(error.code / 100) === 429
