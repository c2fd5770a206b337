// What a person has chosen on a page stands in the address, so a link shows the same. Nothing of it is kept elsewhere.
import { useCallback } from 'react'
import { useSearchParams } from 'wouter'

/** One parameter of the address; the empty string takes it away. Replaces the entry unless `push`. */
export function useQueryState(name: string, fallback = ''): [string, (value: string, push?: boolean) => void] {
  const [params, set] = useSearchParams()
  const write = useCallback(
    (value: string, push = false) => {
      set(
        (old) => {
          const next = new URLSearchParams(old)
          if (value === '' || value === fallback) next.delete(name)
          else next.set(name, value)
          return next
        },
        { replace: !push },
      )
    },
    [name, fallback, set],
  )
  return [params.get(name) ?? fallback, write]
}

/** Several at once, in one step: for "clear" and saved views. */
export function useQuerySet(): (values: Record<string, string>) => void {
  const [, set] = useSearchParams()
  return useCallback(
    (values) =>
      set(
        (old) => {
          const next = new URLSearchParams(old)
          for (const [name, value] of Object.entries(values)) value === '' ? next.delete(name) : next.set(name, value)
          return next
        },
        { replace: true },
      ),
    [set],
  )
}
