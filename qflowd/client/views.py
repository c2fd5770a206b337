"""What the views and inboxes show to one tenant."""

import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from qflowd.calendars import timetable
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.client.fact_records import ApprovalInfo, DatasetInfo, DatasetUseInfo, SignalInfo
from qflowd.client.failures import find_failures
from qflowd.client.gaps import find_gaps
from qflowd.client.records import FailureInfo, InstanceInfo, from_json, records_of
from qflowd.client.requests import whole
from qflowd.client.transport import Transport, rows_at_once
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE
from qflowd.model.instants import within_bounds
from qflowd.model.names import fault_in_key, series_and_name
from qflowd.model.states import InstanceState

T = TypeVar("T")

MOST_FIRES: Final = 1000  # that are worked out at once
PAGE: Final = 500  # instances read at once
# An event may have an id above one that is so much later, as its transaction took so long.
DISORDER: Final = timedelta(minutes=10)
# The first and the last code of what `instances()` may be asked for.
STATES: Final = {"OPEN": (0, InstanceState.SUCCESS - 1)} | {
    state.name: (int(state), int(state)) for state in InstanceState
}


class Views:
    """The part of a client that only looks."""

    def __init__(self, transport: Transport) -> None:
        """Raises: InvalidRequest for a name that no tenant can have."""
        if fault := fault_in_key(transport.tenant, "tenant"):
            raise InvalidRequest(fault)
        self.transport = transport

    @property
    def tenant(self) -> str:
        """Whose rows are seen and written."""
        return self.transport.tenant

    def history(self, workflow: str, limit: int = 20) -> list[InstanceInfo]:
        """The latest instances of a workflow (or of a job submitted by itself), newest first.

        Args:
            limit: how many at most, from 1.
        """
        return list(self.instances(workflow=workflow, limit=limit))

    def instances(
        self, *, workflow: str | None = None, state: str | None = None, limit: int | None = None
    ) -> Iterator[InstanceInfo]:
        """Instances, newest first; read a page at a time as they are asked for.

        Args:
            workflow: only of this workflow or single job.
            state: only in this state, such as FAILED; OPEN means all that have not ended.
            limit: how many at most, from 1; None for all.

        Raises: InvalidRequest for a state that does not exist.
        """
        if state is not None and state not in STATES:
            raise InvalidRequest(f"there is no state {state!r}; there are {', '.join(STATES)}")
        first, last = STATES[state] if state else (0, int(max(InstanceState)))
        name, where = "find_instances", dict[str, Any](first=first, last=last)
        if workflow is not None:
            name, where = "find_instances_of", where | {"workflow": workflow}
        elif state == "OPEN":
            name, where = "find_open_instances", {}
        left, before = sys.maxsize if limit is None else whole(limit, "limit"), LARGEST_INSTANCE + 1
        while left > 0 and (rows := self.read_all(name, before=before, batch=min(left, PAGE), **where)):
            yield from records_of(InstanceInfo, rows)
            left, before = left - len(rows), rows[-1].id

    def failures(
        self, conditions: Mapping[str, Any] | None = None, *, handled: bool = False, limit: int | None = None
    ) -> Iterator[FailureInfo]:
        """Failed tasks that nobody has handled, those of the newest instances first; read a page at a time.

        Args:
            conditions: as in a command's filter, such as {"workflow": "daily_*", "error_class": "*Timeout", "since": "2d"}.
            handled: those instead that a person has handled, as `HandledFailureInfo`.
            limit: how many at most, from 1; None for all.

        Raises: InvalidRequest for a condition that does not exist, or cannot be read.
        """
        return find_failures(self, conditions or {}, handled=handled, limit=limit)

    def signals(self, name: str | None = None, *, limit: int | None = None) -> Iterator[SignalInfo]:
        """Signals, newest first; read a page at a time as they are asked for.

        Args:
            name: only those of this name.
            limit: how many at most, from 1; None for all.
        """
        statement, where = ("find_signals", {}) if name is None else ("find_signals_named", {"name": name})
        return self._newest(SignalInfo, statement, limit, where)

    def datasets(
        self, name: str | None = None, *, versions: bool = False, limit: int | None = None
    ) -> Iterator[DatasetInfo]:
        """What tasks have produced, newest first: the latest version of each; read a page at a time as it is asked for.

        Args:
            name: only this one, such as `cn_daily@2026-11-20`; without `@`, all that are called so before it.
            versions: all versions instead.
            limit: how many at most, from 1; None for all.
        """
        return self._of_datasets(DatasetInfo, "find_datasets", name, limit, is_all=versions)

    def dataset_uses(
        self, name: str | None = None, *, stale: bool = False, limit: int | None = None
    ) -> Iterator[DatasetUseInfo]:
        """Tasks that waited for a dataset, with the version that each was given, those of the newest instances first.

        Args:
            name: of this dataset, or of all of this series.
            stale: only those of which a later version has come since.
            limit: how many at most, from 1; None for all.
        """
        return self._of_datasets(DatasetUseInfo, "find_dataset_uses", name, limit, is_all=not stale)

    def approvals(self) -> list[ApprovalInfo]:
        """The tasks that wait for a person to approve or reject, those of the oldest instances first."""
        return list(records_of(ApprovalInfo, self.read_parts("find_open_approvals")))

    def count_new(self) -> int:
        """How many submissions no daemon has taken yet."""
        return int(self.read_one("count_new").submissions)

    def active_version(self, workflow: str) -> Any:
        """`version`, `document`, `source_text`, `format` and `hash` of the active version of a workflow; None if there is none."""
        return self.read_one("show_active_version", workflow=workflow)

    def workflows(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `workflows`, files that could not be read among them."""
        return [row for row in self._list("list_workflows") if with_archived or row["archived_at"] is None]

    def task_definitions(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `task_definitions`, types among them, without `source_text`; `document` is a mapping."""
        rows = [row | {"document": from_json(row["document"])} for row in self._list("list_task_definitions")]
        return [row for row in rows if with_archived or row["archived_at"] is None]

    def schedules(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `schedules`."""
        return [row for row in self._list("list_schedules") if with_archived or row["archived_at"] is None]

    def fires(self, workflow: str, limit: int = 20, schedule: str | None = None) -> list[dict[str, Any]]:
        """The latest rows of the view `fires`: when schedules of a workflow fired, what came of it, and what was missed.

        Args:
            schedule: of this one alone.
        """
        if schedule is not None:
            batch = whole(limit, "limit", most=rows_at_once("list_fires_of_schedule"))
            return self._list("list_fires_of_schedule", workflow=workflow, name=schedule, batch=batch)
        batch = whole(limit, "limit", most=rows_at_once("list_fires"))
        return self._list("list_fires", workflow=workflow, batch=batch)

    def next_fires(self, workflow: str, limit: int = 5, schedule: str | None = None) -> list[dict[str, Any]]:
        """When schedules of a workflow fire next, and for which day; what is due and has not fired is among them.

        Args:
            schedule: of this one alone.

        Returns: `schedule`, `fire_at`, `business_date`, earliest first; none where it is off, and none past its calendar's horizon.
        Raises: NotFound if the only ones that are on go by a calendar that this release does not have.
        """
        most, found = whole(limit, "limit", most=MOST_FIRES), []
        calendars = self.calendars()
        unknown: NotFound | None = None
        for row in self.schedules():
            if row["workflow"] != workflow or row["next_fire_at"] is None or schedule not in (None, row["name"]):
                continue
            times, since = timetable.times_in(SimpleNamespace(**row)), row["next_fire_at"] - timedelta(microseconds=1)
            try:
                coming = list(islice(timetable.fires(times, since, calendars), most))
            except NotFound as error:  # it hides no other
                unknown = error
                continue
            found += [{"schedule": row["name"], "fire_at": at, "business_date": day} for at, day in coming]
        if unknown is not None and not found:
            raise unknown
        return sorted(found, key=itemgetter("fire_at"))[:most]

    def calendar(self, name: str) -> Calendar:
        """A calendar with what this tenant says of its days, as schedules and expressions know it now.

        Raises: NotFound, which names what comes near.
        """
        return self.calendars().calendar(name)

    def calendars(self) -> CalendarBook:
        """All calendars by their names, as `calendar()` gives them: read once, for many questions."""
        return CalendarBook.of_rows(self.read_all("list_calendar_overrides"), self.read_all("list_own_calendars"))

    def calendar_overrides(self, name: str | None = None) -> list[dict[str, Any]]:
        """Rows of the view `calendar_overrides`, by calendar and day; of one calendar if it is named."""
        return [row for row in self._list("list_calendar_overrides") if name in (None, row["calendar"])]

    def backfills(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest rows of the view `backfills`, newest first."""
        batch = whole(limit, "limit", most=rows_at_once("show_backfills"))
        return self._list("show_backfills", before=LARGEST_INSTANCE + 1, batch=batch)

    def gaps(
        self, workflow: str, first: date | str | None = None, last: date | str | None = None
    ) -> list[dict[str, Any]]:
        """The sessions of a workflow's calendar that have no good run, earliest first.

        One is due when it has closed and no schedule of the workflow is still to fire for it.

        Args:
            first: from this day on; default the first business date that the workflow has a run for.
            last: to this day; default the last session that is due.

        Returns: `business_date`, `state` and `instance_id` of the latest run for it; None where there is none.
        Raises: NotFound for a workflow that does not exist; InvalidRequest for one without a calendar.
        """
        return find_gaps(self.read_all, workflow, first, last)

    def late(self, limit: int = 100, *, with_ended: bool = False) -> list[dict[str, Any]]:
        """The latest rows of the view `late_dates`: business dates that had no good run by when their workflow expects one.

        Args:
            limit: how many at most, from 1.
            with_ended: those as well that have had one since.
        """
        batch = whole(limit, "limit", most=rows_at_once("find_late"))
        return self._list("find_late", before=ABOVE_ALL_IDS, is_all=int(with_ended), batch=batch)

    def events(
        self, limit: int = 100, *, workflow: str | None = None, since: datetime | None = None, after: int | None = None
    ) -> list[dict[str, Any]]:
        """The latest rows of the view `events`, newest first; `data` is a mapping.

        Args:
            limit: how many at most, from 1.
            workflow: only those of this one.
            since: of these, only those at or after this instant.
            after: instead the earliest whose id is above this one, in the order of their ids.

        Raises: InvalidRequest for an instant without a time zone.
        """
        batch = whole(limit, "limit", most=rows_at_once("find_events"))
        name = "find_events" if after is None else "find_events_after"
        params: dict[str, Any] = {"workflow": workflow or "", "batch": batch}
        if since is not None:
            if since.tzinfo is None:
                raise InvalidRequest("since needs a time zone, as in datetime.now(UTC) - timedelta(days=2)")
            first_at = within_bounds(since)
            name = f"{name}_since"
            params |= {"after": after or 0, "since": first_at, "older_at": within_bounds(first_at - DISORDER)}
        else:
            params |= {"before": ABOVE_ALL_IDS} if after is None else {"after": after}
        return [row | {"data": from_json(row["data"])} for row in self._list(name, **params)]

    def own_calendars(self) -> list[dict[str, Any]]:
        """Rows of the view `own_calendars`: what this tenant has imported; `document` is a mapping."""
        return [row | {"document": from_json(row["document"])} for row in self._list("list_own_calendars")]

    def jobs(self) -> list[dict[str, Any]]:
        """Rows of the view `jobs`."""
        return self._list("list_jobs")

    def plugins(self) -> list[dict[str, Any]]:
        """Plugin files as each live daemon sees them."""
        return self._list("list_plugins")

    def daemons(self) -> list[dict[str, Any]]:
        """Rows of the view `daemons`: those whose lease has not run out."""
        return self._list("list_daemons")

    def pools(self) -> list[dict[str, Any]]:
        """Rows of the view `pools`, a row per pool and daemon."""
        return self._list("list_pools")

    def limits(self) -> list[dict[str, Any]]:
        """Rows of the view `limits`."""
        return self._list("show_limits")

    def read_all(self, statement: str, **params: Any) -> list[Any]:
        """Rows of one of `READS`, of this tenant where it asks for one, with plain Python values."""
        return self.transport.read(statement, params)

    def read_parts(self, statement: str, after: int = 0, *, key: str = "id", **params: Any) -> Iterator[Any]:
        """As `read_all`, of a statement that gives rows behind one: some at a time, so that no answer is too large.

        `key`: the column by whose values they are ordered.
        """
        batch = rows_at_once(statement)
        while rows := self.read_all(statement, after=after, batch=batch, **params):
            yield from rows
            if len(rows) < batch:
                return
            after = getattr(rows[-1], key)

    def read_one(self, statement: str, *, wait_s: float = 0.0, **params: Any) -> Any:
        """The first row of a statement, or None; as `read_all`. `wait_s`: as of `Transport.read`."""
        return next(iter(self.transport.read(statement, params, wait_s)), None)

    def _of_datasets(
        self, kind: type[T], statement: str, name: str | None, limit: int | None, *, is_all: bool
    ) -> Iterator[T]:
        """Rows about all datasets; where a name is given, about that one or the series that is called so."""
        where: dict[str, Any] = {"is_all": int(is_all)}
        if not name:
            return self._newest(kind, statement, limit, where)
        return self._newest(kind, f"{statement}_of", limit, where | series_and_name(name))

    def _newest(self, kind: type[T], statement: str, limit: int | None, where: Mapping[str, Any]) -> Iterator[T]:
        """Rows of a statement that gives those before an id, newest first, as records; a page at a time."""
        left, before = sys.maxsize if limit is None else whole(limit, "limit"), ABOVE_ALL_IDS
        most = rows_at_once(statement)
        while left > 0 and (rows := self.read_all(statement, before=before, batch=min(left, most), **where)):
            yield from records_of(kind, rows)
            left, before = left - len(rows), rows[-1].id

    def _list(self, statement: str, **params: Any) -> list[dict[str, Any]]:
        return [row._asdict() for row in self.read_all(statement, **params)]
