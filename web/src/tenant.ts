// The tenant that is looked at stands in every address, so that a link shows the same. Another one loads the page anew.
import { useCallback } from 'react'
import type { BaseLocationHook } from 'wouter'
import { useBrowserLocation } from 'wouter/use-browser-location'
import { root, tenant } from './api/call'

/** An address of the dashboard, in the same tenant. */
export function inTenant(to: string): string {
  if (tenant === '') return to
  const url = new URL(to, location.href)
  url.searchParams.set('tenant', tenant)
  return url.pathname + url.search + url.hash
}

/** Where we are and how to go elsewhere, for the router. */
export const useTenantLocation: BaseLocationHook = () => {
  const [at, go] = useBrowserLocation()
  return [at, useCallback((to: string, how?: Parameters<typeof go>[1]) => go(inTenant(to), how), [go])]
}

/** The first page of a section, such as `/workflows`, in another tenant; the empty string is one's own. */
export function pageOf(name: string, section: string): string {
  const url = new URL(section.slice(1), root)
  if (name !== '') url.searchParams.set('tenant', name)
  return url.href
}
