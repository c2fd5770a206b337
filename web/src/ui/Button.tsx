// Buttons and links that look like buttons.
import type { LucideIcon } from 'lucide-react'
import type { ButtonHTMLAttributes, ReactNode } from 'react'
import './button.css'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: LucideIcon
  /** `main`: the one thing to do here; `danger`: it takes something away; `bare`: no frame. */
  look?: 'main' | 'danger' | 'bare'
  children?: ReactNode
}

/** Without children an icon button: then `title` is its name. */
export function Button({ icon: Icon, look, children, title, ...rest }: Props) {
  return (
    <button type="button" className="button" data-look={look} data-icon={children == null || undefined} title={title} aria-label={children == null ? title : undefined} {...rest}>
      {Icon && <Icon aria-hidden size={15} strokeWidth={2} />}
      {children != null && <span>{children}</span>}
    </button>
  )
}
