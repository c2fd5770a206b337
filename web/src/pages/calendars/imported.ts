// What is sent of a calendar that somebody has written: a document if it begins with a brace, else a list of days. Pure.
export interface Written {
  text: string
  name: string
  timezone: string
  title: string
  last: string
}

interface Import {
  /** Whose it is; empty where that is not said yet. */
  name: string
  body: Record<string, unknown>
}

export const isDocument = (text: string) => text.trimStart().startsWith('{')

/** Throws a SyntaxError for a document that is not JSON. */
export function importOf({ text, name, timezone, title, last }: Written): Import {
  if (isDocument(text)) {
    const document = JSON.parse(text) as { calendar?: unknown }
    return { name: typeof document.calendar === 'string' ? document.calendar : '', body: { document } }
  }
  const about = Object.entries({ title: title.trim(), last }).filter(([, value]) => value !== '')
  return { name: name.trim(), body: { csv: text, timezone: timezone.trim(), ...Object.fromEntries(about) } }
}

/** `desk` of `desk.csv`. */
export const stemOf = (file: string) => file.replace(/\.[^.]*$/, '')
