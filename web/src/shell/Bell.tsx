// The bell: how much waits that has not been read, and the list of it.
import { Bell as BellIcon, CalendarOff, CircleAlert, ClockAlert, FileWarning, KeyRound, Unplug, UserCheck } from 'lucide-react'
import { useId, useRef } from 'react'
import { Link } from 'wouter'
import { count as number, shortPath } from '../format'
import { Button } from '../ui/Button'
import { Time } from '../ui/Time'
import { useCommon } from '../words'
import { useNotices, useReadNotices, type Notice } from './notices'
import './bell.css'

const SIGNS = { failure: CircleAlert, late: ClockAlert, approval: UserCheck, file: FileWarning, horizon: CalendarOff, token: KeyRound, no_daemon: Unplug }

export function Bell() {
  const w = useCommon()
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const notices = useNotices() ?? []
  const { isRead, mark } = useReadNotices(notices)
  const unread = notices.filter((one) => !isRead(one))
  const title = unread.length ? w.bell.unread(number(unread.length)) : w.bell.title
  const place = () => {
    const at = button.current!.getBoundingClientRect()
    list.current!.style.top = `${at.bottom + 4}px`
    list.current!.style.right = `${Math.max(8, innerWidth - at.right - 80)}px`
    list.current!.querySelector<HTMLElement>('a, button')?.focus()
  }
  return (
    <>
      <button ref={button} type="button" className="button bell" data-look="bare" data-icon title={title} aria-label={title} aria-haspopup="dialog" popoverTarget={id}>
        <BellIcon aria-hidden size={15} />
        {unread.length > 0 && <span className="bell-count" aria-hidden>{unread.length > 99 ? '99+' : unread.length}</span>}
      </button>
      <div ref={list} id={id} popover="auto" role="dialog" aria-label={w.bell.title} className="menu bell-list" onToggle={(event) => event.newState === 'open' && place()}>
        <div className="row bell-head"><strong className="grow">{w.bell.title}</strong>{unread.length > 0 && <Button look="bare" onClick={() => mark(notices)}>{w.bell.readAll}</Button>}</div>
        {notices.length === 0 && <p className="muted bell-none">{w.bell.none}</p>}
        <ul>{notices.map((one) => <Line key={one.id} notice={one} isRead={isRead(one)} open={() => { mark([one]); list.current?.hidePopover() }} />)}</ul>
      </div>
    </>
  )
}

function Line({ notice, isRead, open }: { notice: Notice; isRead: boolean; open: () => void }) {
  const w = useCommon()
  const Sign = SIGNS[notice.kind]
  const subject = notice.kind === 'file' ? shortPath(notice.subject) : notice.subject
  return (
    <li>
      <Link href={notice.link} className="bell-line" data-read={isRead || undefined} onClick={open}>
        <Sign aria-hidden size={15} />
        <span className="grow">
          <span className="bell-what"><strong className="cut">{subject || w.bell.kind[notice.kind]}</strong>{notice.count > 1 && <span>×{number(notice.count)}</span>}<span className="muted">{notice.at && <Time at={notice.at} />}</span></span>
          <span className="cut bell-detail">{subject ? `${w.bell.kind[notice.kind]}${notice.detail ? `: ${notice.detail}` : ''}` : w.bar.noDaemon}</span>
        </span>
      </Link>
    </li>
  )
}
