// Where the dashboard lives, whom it looks at, and how a question to the API is addressed.

export type Query = Record<string, string | number | boolean | null | undefined>

/** Where the dashboard lives: `/` or `/qflowd/`. The server writes it into the page. */
export const root = new URL('.', document.baseURI)
export const basePath = root.pathname.replace(/\/$/, '')

/** Of a system person who looks at another tenant: its name, as the page's address says; else empty. */
export const tenant = new URLSearchParams(location.search).get('tenant') ?? ''

export function address(path: string, query: Query = {}): string {
  const url = new URL(`api/v1${path}`, root)
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') url.searchParams.set(name, String(value))
  }
  if (tenant !== '') url.searchParams.set('tenant', tenant)
  return url.pathname + url.search
}
