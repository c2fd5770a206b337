// The head of a page, and a framed part of one.
import { useEffect, type ReactNode } from 'react'
import './panel.css'

/** Names the page in the window's title; `actions` stand on the right. */
export function Head({ title, name, above, actions, children }: { title: ReactNode; name: string; above?: ReactNode; actions?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${name} · qflowd`
  }, [name])
  return (
    <header className="head">
      <div className="grow">
        {above && <div className="head-above">{above}</div>}
        <h1>{title}</h1>
        {children && <div className="head-line">{children}</div>}
      </div>
      {actions && <div className="head-actions">{actions}</div>}
    </header>
  )
}

export function Panel({ title, note, actions, children, flush = false }: { title?: ReactNode; note?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className="panel" data-flush={flush || undefined}>
      {title && (
        <header className="panel-head">
          <h2>{title}</h2>
          {note && <span className="muted grow cut">{note}</span>}
          {actions}
        </header>
      )}
      <div className="panel-body">{children}</div>
    </section>
  )
}

/** A line of filters above a list. */
export const Filters = ({ children }: { children: ReactNode }) => <div className="filters" role="search">{children}</div>
