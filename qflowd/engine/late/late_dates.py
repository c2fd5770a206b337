"""Late dates: a workflow says by when the run for each of its business dates is to have succeeded; what has not is noted.

At its deadline, a run is stopped. Any number of daemons may look at once: a date is a row of its own key, and who moves
`judged_day` over a date deals with it. It is judged by what is in the database, so a date that passed while no daemon ran is
found by the next one.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.calendars.expected_dates import (
    Expectation,
    ExpectedDate,
    day_judged_by,
    expected_after,
    is_expected,
    last_fire_for,
)
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.late.expectations import ExpectationKind, expectation_of
from qflowd.engine.service import Topics
from qflowd.model.errors import RowsLocked
from qflowd.model.instants import format_instant, parse_date
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
IDLE_S: Final = 10.0
GRACE: Final = timedelta(seconds=5)  # an end is seen when it is committed, a moment after it was
BATCH: Final = 100  # dates of a workflow that are judged in a round
MOST_JUDGED: Final = 500  # workflows whose dates are, each a statement or two


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
        self.mistaken: list[int] = []  # ids of rows whose run had succeeded in time, and was committed late
        self.next_at: datetime | None = None
        self.has_more = False


class LateDates:
    """The service that notes them, notes when they are not late any more, and stops runs at their deadlines."""

    name: ClassVar[str] = "late_dates"
    topics: ClassVar[tuple[str, ...]] = ("schedule",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store, self._topics = store, topics
        self._books = CalendarBooks()
        self._coming: dict[tuple[int, int], _Coming] = {}  # by workflow and kind
        self._unjudged: set[int] = set()  # ids of workflows whose expectations were told to be unintelligible

    def tick(self) -> float:
        found, now = self.look()
        if self.write(found):
            self._topics.publish("intent")
        if found.has_more:
            return 0
        left = timedelta(seconds=IDLE_S) if found.next_at is None else found.next_at + GRACE - now
        return min(IDLE_S, max(0.0, left.total_seconds()))

    def look(self) -> tuple[LateFindings, datetime]:
        """What is over, and the present; dates are worked out when the transaction that has read the rows is over."""
        rows, schedules, open_dates, now = self._store.read(self._read)
        found = LateFindings()
        expected = {(row.definition_id, row.kind): expectation_of(row, schedules[row.definition_id]) for row in rows}
        self._coming = {key: coming for key, coming in self._coming.items() if key in expected}
        for row in rows:
            if len(found.judged) >= MOST_JUDGED:
                found.has_more = True
                break
            try:
                self._judge(found, row, expected[row.definition_id, row.kind], now - GRACE, schedules)
            except Exception as error:  # noqa: BLE001 - whatever a calendar or croniter say of one, the others are judged
                self._warn_once(row, error)
        for row in open_dates:
            if row.succeeded_at is not None and row.succeeded_at <= row.expected_at:
                found.mistaken.append(row.id)
            elif row.succeeded_at is not None:
                found.ended.append((row.id, row.succeeded_at))
            elif row.is_withdrawn or self._is_called_off(row, expected.get((row.definition_id, ExpectationKind.LATE))):
                found.ended.append((row.id, now))
        return found, now

    def _read(self, tx: Tx) -> tuple[list[Any], Mapping[int, list[Any]], list[Any], datetime]:
        rows = tx.run("list_expectations")
        if rows:
            self._books.learn(tx)
        schedules: defaultdict[int, list[Any]] = defaultdict(list)
        for row in tx.run("list_schedules_of_expectations") if rows else ():
            schedules[row.definition_id].append(row)
        return rows, schedules, tx.run("list_open_late_dates"), tx.now

    def _judge(
        self,
        found: LateFindings,
        row: Any,
        what: Expectation | None,
        now: datetime,
        schedules: Mapping[int, Sequence[Any]],
    ) -> None:
        """Find the dates of one workflow whose time is over since the last look."""
        before = None if row.judged_day is None else _day(row.judged_day)
        if what is None:
            if before is not None:
                found.judged.append(JudgedDates(row, (), None))
            return
        book = self._books.book(row.tenant)
        day = self._begin(row, what, now, schedules[row.definition_id]) if before is None else before
        due: list[ExpectedDate] = []
        while (coming := self._next(row, what, day, book)) is not None and coming.at <= now and len(due) < BATCH:
            due.append(coming)
            day = coming.day
        if day != before:
            found.judged.append(JudgedDates(row, tuple(due), day))
        found.has_more |= len(due) == BATCH
        if coming is not None and (found.next_at is None or coming.at < found.next_at):
            found.next_at = coming.at

    def _begin(self, row: Any, what: Expectation, now: datetime, schedules: Sequence[Any]) -> date:
        """The day after which the dates of a workflow are judged that is new, or on again."""
        book = self._books.book(row.tenant)
        day = day_judged_by(what, now, book)
        while row.kind == ExpectationKind.LATE and (coming := expected_after(what, day, book)) is not None:
            if self._is_meant(row, schedules, coming.day, now, book):
                break
            day = coming.day
        return day

    def _is_meant(self, row: Any, schedules: Sequence[Any], day: date, now: datetime, book: CalendarBook) -> bool:
        """Whether a schedule has fired for a date, or is still to; without any by time, whoever runs it may come at any time."""
        timed = [each for each in schedules if each.is_on and (each.cron or each.session_time)]
        for each in timed:
            at = last_fire_for(timetable.times_in(each), day, book)
            is_due = at is not None and each.next_fire_at is not None and each.next_fire_at <= at
            if is_due or (at is not None and at > now):
                return True
        rows = [(row.definition_id, each.name, day.isoformat()) for each in schedules]
        return not timed or bool(self._store.read(lambda tx: tx.run("list_days_with_fires", rows=rows)))

    def _next(self, row: Any, what: Expectation, day: date, book: CalendarBook) -> ExpectedDate | None:
        """The date after a day; it is asked for in every round, and worked out when something has changed."""
        key = row.definition_id, row.kind
        known = self._coming.get(key)
        if known is None or known.book is not book or (known.what, known.day) != (what, day):
            known = self._coming[key] = _Coming(what, day, book, expected_after(what, day, book))
        return known.coming

    def _is_called_off(self, row: Any, what: Expectation | None) -> bool:
        """Has somebody closed the day of a row of `list_open_late_dates`? What cannot be told is as it was."""
        if what is None:
            return False
        day, book = _day(row.business_date), self._books.book(row.tenant)
        with suppress(Exception):
            calendars = {what.calendar, *(each.calendar for each in what.schedules)} - {""}
            parts = frozenset[str]().union(*map(book.depends_on, calendars))
            said = (book.overrides.get(name, {}).get(day) for name in parts)
            is_closed = any(each is not None and each.kind == "closed" for each in said)
            return is_closed and not is_expected(what, day, book)
        return False

    def _warn_once(self, row: Any, error: Exception) -> None:
        if row.definition_id not in self._unjudged:
            self._unjudged.add(row.definition_id)
            log.warning("what workflow %s expects cannot be judged, so it is never late: %s", row.workflow, error)

    def write(self, found: LateFindings) -> bool:
        """Write what was found, unless another daemon has done it. Returns: runs are to be stopped."""
        late = [each for each in found.judged if each.row.kind == ExpectationKind.LATE]
        if late or found.ended or found.mistaken:  # without, no write has to wait for this
            self._store.transact(lambda tx: _note(tx, late, found), name="note_late_dates")
        has_stopped = False
        for each in found.judged:
            if each.row.kind != ExpectationKind.STOPPED:
                continue
            try:
                has_stopped |= self._store.transact(lambda tx, each=each: _stop(tx, each), name="stop_late_runs")  # type: ignore[misc]
            except RowsLocked as error:  # of one workflow; it is tried again
                log.warning(
                    "runs of %s are past their deadline, and cannot be stopped yet: %s", each.row.workflow, error
                )
        return has_stopped


class _Coming(NamedTuple):
    """The date that comes after a day, by an expectation and the calendars as they were."""

    what: Expectation
    day: date
    book: CalendarBook
    coming: ExpectedDate | None


def _note(tx: Tx, judged: Sequence[JudgedDates], found: LateFindings) -> None:
    late = list(_late_dates(tx, [each for each in judged if _move(tx, each)]))
    if late:
        late.sort(key=lambda each: each[1:3])
        tx.run("insert_late_dates", rows=late, now=tx.now)
        told = [(number, day, json.dumps({"expected_at": format_instant(at)})) for _, number, day, at, _ in late]
        tx.run("insert_late_events", rows=told, now=tx.now)
    if found.ended:
        tx.run("end_late_dates", rows=found.ended)
    for number in found.mistaken:
        tx.run("delete_late_date", id=number)


def _move(tx: Tx, judged: JudgedDates) -> int:
    """Move over what was judged. Returns 0 if another daemon has done so."""
    row, day = judged.row, None if judged.day is None else judged.day.isoformat()
    says = {"due_by": row.due_by, "calendar": row.calendar}
    return tx.count("set_judged_day", definition_id=row.definition_id, kind=row.kind, **says, judged_day=day)


def _late_dates(tx: Tx, judged: Sequence[JudgedDates]) -> Iterator[tuple[Any, ...]]:
    """Rows of `insert_late_dates`: a date is late unless a run for it had succeeded by then."""
    dates = sorted((row.definition_id, coming.day.isoformat()) for row, due, _ in judged for coming in due)
    if not dates:
        return
    runs = tx.run("list_first_successes", rows=dates)
    succeeded = {(row.definition_id, _day(row.business_date)): row.succeeded_at for row in runs}
    for row, due, _ in judged:
        for day, at in due:
            when = succeeded.get((row.definition_id, day))
            if when is None or when > at:
                yield row.tenant, row.definition_id, day.isoformat(), at, when


def _stop(tx: Tx, judged: JudgedDates) -> bool:
    """Flag the runs of one workflow that are past their deadlines. Returns: are there any?"""
    if not _move(tx, judged) or not judged.due:
        return False
    dates = [(judged.row.definition_id, day.isoformat(), at) for day, at in judged.due]
    numbers = sorted({row.id for row in tx.run("list_overdue", rows=dates)})
    return sum(tx.count("flag_overdue", id=number) for number in numbers) > 0


def _day(value: Any) -> date:
    return value if isinstance(value, date) else parse_date(str(value)[:10])
