"""What waits for a person, each for as long as it does.

Failures, late dates, approvals, faulty files, horizons of calendars, tokens that end soon, no daemon.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote

from qflowd.api.access.owner import owner_of
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.current_books import known_calendars
from qflowd.api.today.overview import Overview, seen_overview
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.client.records import from_json
from qflowd.model.errors import QflowdError
from qflowd.model.ids import ABOVE_ALL_IDS

ENDS_SOON: Final = timedelta(days=7)
MOST_TOKENS: Final = 50
MOST_LATE: Final = 50
MOST_APPROVALS: Final = 50
MOST_HORIZONS: Final = 500  # those told in earlier years among them
Kind = Literal["failure", "late", "approval", "file", "horizon", "token", "no_daemon"]


class Notification(Item):
    """One thing that waits. `id` changes when it happens again; `link`: the dashboard's page for it.

    `failure`: `count` failures of `subject`, `workflow › task`, the newest at `at`. `late`: no good run of `subject`
    for the business date `detail` by `at`. `approval`: of `subject`, asked at `at`; `detail` is the question.
    `horizon`: the calendar `subject`, which schedules or workflows go by, is known to `detail` and no further; told
    at `at`. `token`: it ends at `at`. `no_daemon`: none has been seen since `at`.
    """

    id: str
    kind: Kind
    subject: str
    detail: str | None
    count: int
    at: datetime | None
    link: str


def find_notifications(call: Call) -> list[Notification]:
    """What waits, what is worst first: of the tenant, and tokens of the caller, of an administrator's tenant all."""
    overview = seen_overview(call)
    waiting = *_failures(overview), *_late(call), *_approvals(call)
    return [
        *_without_daemon(call, overview),
        *waiting,
        *_files(overview),
        *_horizons(call),
        *_tokens(call, overview.now),
    ]


def _without_daemon(call: Call, overview: Overview) -> Iterator[Notification]:
    if not overview.daemons:
        seen_at = call.one("find_last_daemon").seen_at
        yield _notification("no_daemon", "", None, seen_at, "/daemons")


def _failures(overview: Overview) -> Iterator[Notification]:
    for group in overview.failing:
        subject = f"{group.workflow} › {group.task}" if group.workflow else group.task
        link = f"/instances/{group.instance_id}?task={group.task_id}"
        error = (group.error or group.error_class).partition("\n")[0]
        yield _notification("failure", subject, error, group.newest_at, link, group.count)


def _late(call: Call) -> Iterator[Notification]:
    for row in call.read("find_late", before=ABOVE_ALL_IDS, is_all=0, batch=MOST_LATE):
        started = row.instance_id is not None
        link = f"/instances/{row.instance_id}" if started else f"/workflows/{quote(row.workflow, safe='')}"
        yield _notification("late", row.workflow, str(row.business_date), row.expected_at, link)


def _approvals(call: Call) -> Iterator[Notification]:
    for row in call.read("find_open_approvals", after=0, batch=MOST_APPROVALS):
        yield _notification("approval", f"{row.workflow} › {row.task}", row.subject, row.asked_at, "/approvals")


def _files(overview: Overview) -> Iterator[Notification]:
    for file in overview.faulty_files:
        yield _notification("file", file.file, file.error, None, "/")


def _horizons(call: Call) -> Iterator[Notification]:
    """Of the events that tell of them: while the calendar is known to no later day."""
    if rows := call.read("find_horizons", batch=MOST_HORIZONS):
        book = known_calendars(call)
        for row in rows:
            last = _last_day(book, row.calendar)
            if last is not None and from_json(row.data)["last"] == last.isoformat():
                link = f"/calendars?name={quote(row.calendar, safe='')}"
                yield _notification("horizon", row.calendar, last.isoformat(), row.at, link)


def _last_day(book: CalendarBook, name: str) -> date | None:
    """None of a calendar that has been removed, or does not ship with this release."""
    with suppress(QflowdError):
        return book.calendar(name).last
    return None


def _tokens(call: Call, now: datetime) -> Sequence[Notification]:
    """A service's token that ends stops a script."""
    if (owner := owner_of(call)) is None:
        return []
    span = {"now": now, "until_at": now + ENDS_SOON, "principal_id": owner, "role": int(call.caller.role)}
    rows = call.read("list_tokens_that_end", batch=MOST_TOKENS, **span)
    return [_notification("token", row.principal, row.note or row.id, row.expires_at, "/settings") for row in rows]


def _notification(
    kind: Kind, subject: str, detail: str | None, at: datetime | None, link: str, count: int = 1
) -> Notification:
    what = "\n".join((kind, subject, "" if kind == "failure" else detail or "", at.isoformat() if at else ""))
    id = hashlib.blake2b(what.encode(), digest_size=8).hexdigest()
    return Notification(id=id, kind=kind, subject=subject, detail=detail, count=count, at=at, link=link)
