"""Business dates that want an eye: those that are late, and those whose runs are expected soon and have not succeeded.

When a run is expected next follows from schedules and calendars; it is kept, so while nothing has changed it is looked up.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from qflowd.api.answers import Item
from qflowd.api.cache import LruCache
from qflowd.api.call import Call
from qflowd.api.current_books import known_calendars
from qflowd.api.finding.instance_items import instance_items
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.calendars.expected_dates import Expectation, ExpectedDate, expected_after
from qflowd.engine.late.expectations import expectation_of
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.instants import parse_date

SOON: Final = timedelta(hours=1)
MOST: Final = 10  # that are late, and as many that may become so
KEPT: Final = 10_000


class DueDate(Item):
    """A business date without a good run: it was expected by `expected_at`, or is within the hour, and `is_late` is false.

    `state`, `instance_id`, `progress`: of the latest run for it; null where none has started.
    """

    workflow: str
    business_date: date
    expected_at: datetime
    is_late: bool
    state: str | None
    instance_id: int | None
    progress: float | None


class _Soon(NamedTuple):
    """A date of a workflow whose run is expected within the hour, or was and is not judged yet."""

    definition_id: int
    workflow: str
    date: ExpectedDate


def due_dates(call: Call, now: datetime) -> list[DueDate]:
    """Those that are late, the latest first, then those that may become so, the earliest first; ten of each at most."""
    late = call.read("find_late", before=ABOVE_ALL_IDS, is_all=0, batch=MOST)
    known = {(row.workflow, row.business_date) for row in late}
    soon = [each for each in _soon(call, now) if (each.workflow, each.date.day) not in known]
    runs = _runs(call, soon)
    coming = [(each, run) for each in soon if (run := runs.get(each.definition_id)) and run.state != "SUCCESS"][:MOST]
    numbers = {row.instance_id for row in (*late, *(run for _, run in coming))} - {None}
    progress = {item.id: item.progress for item in instance_items(call, sorted(numbers))}

    def of(workflow: str, day: date, at: datetime, run: Any, *, is_late: bool) -> DueDate:
        about = {"state": run.state, "instance_id": run.instance_id, "progress": progress.get(run.instance_id)}
        return DueDate(workflow=workflow, business_date=day, expected_at=at, is_late=is_late, **about)

    found = [of(row.workflow, row.business_date, row.expected_at, row, is_late=True) for row in late]
    return found + [of(x.workflow, x.date.day, x.date.at, run, is_late=x.date.at <= now) for x, run in coming]


def _soon(call: Call, now: datetime) -> list[_Soon]:
    """The earliest first."""
    found = [
        _Soon(row.definition_id, row.workflow, coming)
        for row, coming in _expected(call)
        if coming is not None and coming.at <= now + SOON
    ]
    return sorted(found, key=lambda each: (each.date.at, each.workflow))


def _expected(call: Call) -> Iterator[tuple[Any, ExpectedDate | None]]:
    """Of each workflow that expects runs, the first date that has not been judged."""
    if not (rows := call.read("show_expectations")):
        return
    schedules: defaultdict[int, list[Any]] = defaultdict(list)
    for row in call.read("show_schedules_of_expectations"):
        schedules[row.definition_id].append(row)
    book = known_calendars(call)
    for row in rows:
        what = expectation_of(row, schedules[row.definition_id])
        if what is not None:
            yield row, _expected_after(book, what, parse_date(str(row.judged_day)[:10]))


def _expected_after(book: CalendarBook, what: Expectation, day: date) -> ExpectedDate | None:
    """None past the horizon, and for what cannot be worked out, of which the daemon tells."""
    key = (book, what, day)
    known = _EXPECTED.find(key)
    if known is None:
        known = (None,)
        with suppress(Exception):
            known = (expected_after(what, day, book),)
        _EXPECTED.remember([(key, known)])
    return known[0]


def _runs(call: Call, soon: Sequence[_Soon]) -> dict[int, Any]:
    """For each of these workflows the run that counts for its date: the latest that succeeded, or the latest."""
    rows = sorted((each.definition_id, each.date.day.isoformat()) for each in soon)
    return {row.definition_id: row for row in call.read("show_runs_of_dates", rows=rows)} if rows else {}


_EXPECTED: Final[LruCache[tuple[CalendarBook, Expectation, date], tuple[ExpectedDate | None]]] = LruCache(KEPT)
