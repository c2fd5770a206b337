"""Late dates: a workflow says by when the run for each of its business dates is to have succeeded; what has not is noted.

At its deadline, a run is stopped. Any number of daemons may look at once: a date is a row of its own key, and who moves
`judged_day` over a date deals with it. It is judged by what is in the database, so a date that passed while no daemon ran is
found by the next one.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.calendars.expected_dates import Expectation, ExpectedDate, day_judged_by, expected_after, is_expected
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.late.expectations import ExpectationKind
from qflowd.engine.service import Topics
from qflowd.model.instants import parse_date
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
IDLE_S: Final = 10.0
GRACE: Final = timedelta(seconds=5)  # an end is seen when it is committed, a moment after it was
BATCH: Final = 100  # dates of a workflow that are judged in a round


class JudgedDates(NamedTuple):
    """Dates of a workflow whose time is over, and the day up to which all are; None: it expects nothing now."""

    row: Any  # of `list_expectations`
    due: tuple[ExpectedDate, ...]
    day: date | None


class LateFindings:
    """What a look has found, to be written."""

    def __init__(self) -> None:
        self.judged: list[JudgedDates] = []
        self.ended: list[tuple[int, datetime]] = []  # rows of `end_late_dates`
        self.next_at: datetime | None = None
        self.has_more = False


class LateDates:
    """The service that notes them, notes when they are not late any more, and stops runs at their deadlines."""

    name: ClassVar[str] = "late_dates"
    topics: ClassVar[tuple[str, ...]] = ("schedule",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store, self._topics = store, topics
        self._books = CalendarBooks()

    def tick(self) -> float:
        found, now = self._store.read(lambda tx: (self._look(tx), tx.now))
        has_news = bool(found.judged or found.ended)  # without, no write has to wait for this
        if has_news and self._store.transact(lambda tx: deal_with(tx, found), name="note_late_dates"):
            self._topics.publish("intent")
        if found.has_more:
            return 0
        left = timedelta(seconds=IDLE_S) if found.next_at is None else found.next_at + GRACE - now
        return min(IDLE_S, max(0.0, left.total_seconds()))

    def _look(self, tx: Tx) -> LateFindings:
        found, expected = LateFindings(), {}
        rows = tx.run("list_expectations")
        if rows:
            self._books.learn(tx)
        schedules = defaultdict(list)
        for row in tx.run("list_schedules_of_expectations") if rows else ():
            schedules[row.definition_id].append(row)
        for row in rows:
            what = _expectation(row, schedules[row.definition_id])
            if row.kind == ExpectationKind.LATE:
                expected[row.definition_id] = what
            try:
                _judge(found, row, what, tx.now - GRACE, self._books.book(row.tenant))
            except Exception as error:  # noqa: BLE001 - whatever a calendar or croniter say of one, the others are judged
                log.debug("what workflow %s expects is not judged: %s", row.workflow, error)
        for row in tx.run("list_open_late_dates"):
            if row.succeeded_at is not None:
                found.ended.append((row.id, row.succeeded_at))
            elif row.is_withdrawn or (row.is_closed and not self._is_expected(row, expected.get(row.definition_id))):
                found.ended.append((row.id, tx.now))
        return found

    def _is_expected(self, row: Any, what: Expectation | None) -> bool:
        """Whether a run is still expected for a row of `list_open_late_dates`. What cannot be told is as it was."""
        if what is None:
            return True
        with suppress(Exception):
            return is_expected(what, _day(row.business_date), self._books.book(row.tenant))
        return True


def _expectation(row: Any, schedules: Sequence[Any]) -> Expectation | None:
    """What a row of `list_expectations` says, with all schedules of its workflow; None while these, or it, are off."""
    is_on = [each for each in schedules if each.is_on]
    if not row.is_on or (schedules and not is_on):
        return None
    return Expectation(row.due_by, row.calendar, tuple(map(timetable.times_in, is_on)))


def _judge(found: LateFindings, row: Any, what: Expectation | None, now: datetime, book: CalendarBook) -> None:
    """Find the dates of one workflow whose time is over since the last look."""
    before = None if row.judged_day is None else _day(row.judged_day)
    if what is None:
        if before is not None:
            found.judged.append(JudgedDates(row, (), None))
        return
    day = day_judged_by(what, now, book) if before is None else before
    due: list[ExpectedDate] = []
    while (coming := _expected_after(what, day, book)) is not None and coming.at <= now and len(due) < BATCH:
        due.append(coming)
        day = coming.day
    if day != before:
        found.judged.append(JudgedDates(row, tuple(due), day))
    found.has_more |= len(due) == BATCH
    if coming is not None and (found.next_at is None or coming.at < found.next_at):
        found.next_at = coming.at


@lru_cache(maxsize=8192)  # asked again in every round
def _expected_after(what: Expectation, day: date, book: CalendarBook) -> ExpectedDate | None:
    return expected_after(what, day, book)


def deal_with(tx: Tx, found: LateFindings) -> bool:
    """Write what was found, unless another daemon has done it. Returns: runs are to be stopped."""
    mine = [each for each in found.judged if _move(tx, each)]
    late = list(_late_dates(tx, [each for each in mine if each.row.kind == ExpectationKind.LATE]))
    if late:
        tx.run("insert_late_dates", rows=sorted(late, key=lambda each: each[1:3]), now=tx.now)
    if found.ended:
        tx.run("end_late_dates", rows=found.ended)
    return _stop(tx, [each for each in mine if each.row.kind == ExpectationKind.STOPPED])


def _move(tx: Tx, judged: JudgedDates) -> int:
    """Move over what was judged. Returns 0 if another daemon has done so."""
    row, day = judged.row, None if judged.day is None else judged.day.isoformat()
    says = {"due_by": row.due_by, "calendar": row.calendar}
    return tx.count("set_judged_day", definition_id=row.definition_id, kind=row.kind, **says, judged_day=day)


def _late_dates(tx: Tx, judged: Sequence[JudgedDates]) -> Iterator[tuple[Any, ...]]:
    """Rows of `insert_late_dates`: a date is late unless a run for it had succeeded by then."""
    if not (dates := _dates_in(judged)):
        return
    runs = tx.run("list_first_successes", rows=dates)
    succeeded = {(row.definition_id, _day(row.business_date)): row.succeeded_at for row in runs}
    for row, due, _ in judged:
        for day, at in due:
            when = succeeded.get((row.definition_id, day))
            if when is None or when > at:
                yield row.tenant, row.definition_id, day.isoformat(), at, when


def _stop(tx: Tx, judged: Sequence[JudgedDates]) -> bool:
    if not (dates := _dates_in(judged)):
        return False
    numbers = sorted({row.id for row in tx.run("list_open_on_dates", rows=dates)})
    return sum(tx.count("flag_overdue", id=number) for number in numbers) > 0


def _dates_in(judged: Sequence[JudgedDates]) -> list[tuple[int, str]]:
    return sorted((row.definition_id, coming.day.isoformat()) for row, due, _ in judged for coming in due)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else parse_date(str(value)[:10])
