"""Sessions as rows: the days of the calendars that workflows go by, so that a view can tell which of them have no good run.

What a view cannot work out stands beside them: by which sessions a workflow goes, and which its schedules are still to fire for.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple

from qflowd.calendars import timetable
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import Calendars
from qflowd.calendars.session_days import parse_session_days
from qflowd.calendars.timetable import Fire
from qflowd.define import stored
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.model.errors import OutsideCalendar, QflowdError, StoreUnavailable, Unreadable
from qflowd.model.workflow import Schedule
from qflowd.model.zones import zone
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
IDLE_S: Final = 15.0
BATCH: Final = 200  # versions that are read in a round
LONG_OVER: Final = date(2025, 1, 1)  # before it no session is still on
DAYS_AT_ONCE: Final = 1000  # of a set, in a statement
_MOMENT: Final = timedelta(microseconds=1)


class SessionSet(NamedTuple):
    """Sessions that workflows go by: all of a tenant's calendar, or the `days` of a schedule, such as `last session of month`."""

    tenant: str
    calendar: str
    days: str


Written = dict[SessionSet, tuple[Calendar, int]]  # what the rows of a set were made of, and its number


class Stand(NamedTuple):
    """A row of `session_workflow`, without its key."""

    version_id: int
    calendar: str
    set_id: int | None = None
    next_day: str | None = None
    next_at: datetime | None = None


class SessionRows:
    """The service that keeps them. Any number of daemons may do so at once."""

    name: ClassVar[str] = "session_rows"
    topics: ClassVar[tuple[str, ...]] = ("schedule",)

    def __init__(self, store: Store) -> None:
        self._store = store
        self._books = CalendarBooks()
        self._written: Written = {}

    def tick(self) -> float:
        written: Written = {}

        def keep_session_rows(tx: Tx) -> bool:
            written.clear()
            return self._keep(tx, written)

        # Without calendars nobody's write has to wait for this.
        if not self._store.read(lambda tx: tx.run("list_session_workflows")):
            return IDLE_S
        has_more = self._store.transact(keep_session_rows)
        self._written |= written
        return 0 if has_more else IDLE_S

    def _keep(self, tx: Tx, written: Written) -> bool:
        """Bring the rows up to date. Returns: some were not looked at before, or are left."""
        rows = tx.run("list_session_workflows")
        if not rows:
            return False
        self._books.learn(tx)
        schedules = defaultdict(list)
        for row in tx.run("list_schedules_of_sessions"):
            schedules[row.definition_id].append(row)
        changed, unread = [], 0
        for row in rows:
            is_new = row.version_id != row.active_version
            unread += is_new
            if is_new and unread > BATCH:
                continue
            try:
                stand = self._stand_of(tx, row, schedules[row.id], written)
            except StoreUnavailable:
                raise
            except QflowdError as error:  # another release has stored it, or a host lacks a time zone
                log.debug("gaps of workflow %d are left as they are: %s", row.id, error)
                continue
            if stand != _stored(row):
                changed.append((row.id, *stand))
        if changed:
            tx.run("save_session_workflows", rows=changed)
        # The schedules of those that are new are read in the next round.
        return bool(changed) and unread > 0

    def _stand_of(self, tx: Tx, row: Any, schedules: Sequence[Any], written: Written) -> Stand:
        """What is to be known of a workflow (a row of `list_session_workflows`) with these schedules."""
        calendar = row.calendar
        if row.version_id != row.active_version:
            if (version := tx.one("load_version", id=row.active_version)) is None:
                raise Unreadable(f"version {row.active_version} is gone")
            calendar = stored.read(version.document, version.workflow).calendar
        if not calendar:
            return Stand(row.active_version, "")
        days = {each.session_days for each in schedules}
        key = SessionSet(row.tenant, calendar, days.pop() if len(days) == 1 else "")
        book = self._books.book(row.tenant)
        planned = [(timetable.times_in(each), each.next_fire_at) for each in schedules if each.next_fire_at is not None]
        with _of_one_workflow():
            coming = [fire for times, at in planned for fire in _first_fire(times, at - _MOMENT, book)]
        next_day, next_at = min(((day.isoformat(), at) for at, day in coming), default=(None, None))
        set_id = self._set_id(tx, key, book.calendar(calendar), written)
        return Stand(row.active_version, calendar, set_id, next_day, next_at)

    def _set_id(self, tx: Tx, key: SessionSet, calendar: Calendar, written: Written) -> int:
        """The number of a set whose rows are what the calendar says now."""
        of_what, number = (self._written | written).get(key, (None, 0))
        if of_what is calendar:
            return number
        about = key._asdict()
        if (row := tx.one("find_session_set", **about)) is None:
            tx.run("add_session_set", **about)
            row = tx.one("find_session_set", **about)
        with _of_one_workflow():
            days = list(_days_of(calendar, key.days))
        digest = hashlib.sha256(repr(days).encode()).hexdigest()[:32]
        if row.hash != digest and tx.count("claim_session_set", id=row.id, hash=digest):
            tx.run("delete_session_days", id=row.id)
            for first in range(0, len(days), DAYS_AT_ONCE):
                part = days[first : first + DAYS_AT_ONCE]
                tx.run("insert_session_days", rows=[(row.id, day.isoformat(), over_at) for day, over_at in part])
        written[key] = calendar, int(row.id)
        return int(row.id)


@contextmanager
def _of_one_workflow() -> Iterator[None]:
    """Whatever time zone data, croniter or another release say of one workflow, the others are told of. Raises: QflowdError."""
    try:
        yield
    except QflowdError:
        raise
    except Exception as error:
        raise Unreadable(str(error)) from error


@lru_cache(maxsize=4096)  # asked again in every round
def _first_fire(times: Schedule, after: datetime, calendars: Calendars) -> tuple[Fire, ...]:
    return tuple(islice(timetable.fires(times, after, calendars), 1))


def _days_of(calendar: Calendar, days: str) -> list[tuple[date, datetime]]:
    """The sessions of a set, each with the instant at which it is over."""
    sessions = calendar.sessions(calendar.first, calendar.last)
    if days:
        wanted = parse_session_days(days).since(calendar, calendar.first)
        sessions = []
        with suppress(OutsideCalendar):  # they end with what is known
            sessions.extend(wanted)
    return [(day, _over_at(calendar, day)) for day in sessions]


def _over_at(calendar: Calendar, day: date) -> datetime:
    """When a session has closed; of work days, and of what is long over and need not be known so well, the midnight after."""
    close_at = calendar.session(day).close_at if day >= LONG_OVER else None
    return close_at or datetime.combine(day + timedelta(days=1), time(), zone(calendar.timezone))


def _stored(row: Any) -> Stand | None:
    """What the database has of a workflow."""
    if row.version_id is None:
        return None
    day = None if row.next_day is None else str(row.next_day)[:10]
    return Stand(row.version_id, row.calendar, row.set_id, day, row.next_at)
