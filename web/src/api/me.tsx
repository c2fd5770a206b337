// Who looks: asked once, shared by all pages.
import { createContext, use, type ReactNode } from 'react'
import type { Me } from './types'

const order = ['none', 'read', 'submit', 'operate', 'define', 'admin', 'system'] as const
const Present = createContext<Me | null>(null)

export const MeProvider = ({ me, children }: { me: Me; children: ReactNode }) => <Present value={me}>{children}</Present>

/** Null before anybody is known. */
export const usePerson = (): Me | null => use(Present)

export function useMe(): Me {
  const me = usePerson()
  if (!me) throw new Error('nobody is signed in')
  return me
}

/** Does this person's role reach so far? */
export const reaches = (me: Me, role: Me['role']) => order.indexOf(me.role) >= order.indexOf(role)

/** May this person do what needs `role`? A button that would be refused is not shown. */
export function useMay(role: Me['role']): boolean {
  const me = useMe()
  return !me.read_only && reaches(me, role)
}
