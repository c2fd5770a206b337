"""Schedules: what is due is submitted through the inbox, once per instant, whatever the number of daemons.

An instant that is noticed up to `GRACE_S` late is on time and always fires. What is later was missed, and `catchup`
decides: `none` leaves it out; `last` makes up for it with the latest missed instant, unless one that is on time does so
anyway; `all(n)` fires the latest n missed ones as well. A schedule that was off, or is new, begins at its first instant
from now on: what it did not fire then was not missed.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from msgspec.structs import replace

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.calendars.timetable import Fire, times_in
from qflowd.engine.calendars.calendar_books import CalendarBooks, hold_calendars, load_book
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_workflow, verb
from qflowd.engine.definitions.replanning import columns_of_times, replan
from qflowd.engine.service import Topics
from qflowd.model.errors import NotFound, OutsideCalendar
from qflowd.model.instruments import ScheduleFired
from qflowd.model.workflow import Schedule
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
NAME = "cron"  # of the one schedule that a workflow file can have
GRACE_S = 60.0
BATCH = 100  # schedules in a round
MOST_FIRES = 100  # of one schedule in one transaction
IDLE_S = 10.0  # versions with other schedules are published by programs that wake nobody
AFTER_FAULT_S = 1.0
NO_SCHEDULE = "workflow {workflow!r} has no schedule; give it one in its file"
_MOMENT = timedelta(microseconds=1)


class Due(NamedTuple):
    """What a schedule has to fire now, earliest first, and where it continues: None past the horizon of its calendar."""

    fires: tuple[Fire, ...]
    next_at: datetime | None


def due_fires(
    schedule: Schedule, since: datetime, now: datetime, calendars: Calendars = BUNDLED, most: int = MOST_FIRES
) -> Due:
    """What is due of the instants from `since`, the first that was not handled yet, to `now`.

    Raises: OutsideCalendar if this release does not know of `since`, NotFound if it does not have the calendar; whatever
        croniter or zoneinfo make of an expression or zone that they do not know any more.
    """
    before, punctual = since - _MOMENT, now - timedelta(seconds=GRACE_S) - _MOMENT
    on_time = timetable.latest_fires(schedule, max(before, punctual), now, most, calendars)
    wanted = {"none": 0, "last": 0 if on_time else 1, "all": schedule.catchup_limit}[schedule.catchup]
    missed = timetable.latest_fires(schedule, before, punctual, wanted, calendars) if wanted else []
    fires = (*missed, *on_time)
    if not fires:
        timetable.check_known(schedule, since, calendars)
    if len(fires) > most:
        return Due(fires[:most], fires[most].at)
    # From the instant, not from now: a clock that is set back does not repeat it.
    return Due(fires, timetable.next_fire(schedule, fires[-1].at if fires else now, calendars))


class Schedules:
    """The service that submits what schedules fire."""

    name: ClassVar[str] = "schedules"
    topics: ClassVar[tuple[str, ...]] = ("schedule",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._books = CalendarBooks()
        # Schedule -> why this daemon cannot compute it; "": that is not shown yet, as another daemon may know more.
        self._broken: dict[tuple[int, str], str] = {}
        self._is_planned = False

    def tick(self) -> float:
        if not self._is_planned:
            self._store.transact(replan, name="replan")
            self._is_planned = True
        # What is broken stays due, and must not crowd out the rest.
        most = BATCH + len(self._broken)
        rows, now = self._store.read(lambda tx: (self._list_due(tx, most), tx.now))
        pauses = [self._fire(row, now) for row in rows]
        if len(rows) == most:
            return 0
        next_at = self._store.read(lambda tx: tx.one("next_schedule", now=now)).next_fire_at
        if next_at is not None:
            pauses.append(max(0.0, (next_at - self._store.clock.now()).total_seconds()))
        return min([IDLE_S, *pauses])

    def _list_due(self, tx: Tx, most: int) -> list[Any]:
        rows = tx.run("list_due_schedules", now=tx.now, batch=most)
        if any(row.calendar for row in rows):
            self._books.learn(tx)
        return rows

    def _fire(self, row: Any, now: datetime) -> float:
        """Fire one schedule; returns after how many seconds it must be looked at again. It never delays others."""
        book = self._books.book(row.tenant)
        try:
            due = due_fires(_schedule_of(row), row.next_fire_at, now, book)
        except (NotFound, OutsideCalendar) as error:
            if now - row.next_fire_at <= timedelta(seconds=GRACE_S):
                self._broken.setdefault((row.definition_id, row.name), "")
                return AFTER_FAULT_S
            self._show(row, f"schedule {row.session_time or row.cron!r} by calendar {row.calendar}: {error}")
            return IDLE_S
        except Exception as error:  # noqa: BLE001 - whatever time zone data or croniter say, others must fire
            self._show(
                row,
                f"schedule {row.session_time or row.cron!r} in {row.timezone}: no next instant can be computed: {error!r}; "
                "is the time zone data of this host complete?",
            )
            return IDLE_S
        try:
            fired = self._store.transact(lambda tx: fire_schedule(tx, row, due, book.revision), name="fire_schedule")
        except DataRefused:
            log.exception("schedule of workflow %s cannot be fired", row.workflow)
            return AFTER_FAULT_S
        if fired is None:
            return 0
        if fired:
            late_s = (now - due.fires[-1].at).total_seconds()
            self._store.instruments.emit(ScheduleFired(row.workflow, fired, late_s))
            self._topics.publish("submission")
        self._show(row, None)
        return 0 if due.next_at is not None and due.next_at <= now else IDLE_S

    def _show(self, row: Any, error: str | None) -> None:
        """Log and show once why a schedule does not fire, and take it back when it does again."""
        key = (row.definition_id, row.name)
        if self._broken.get(key) == error:
            return

        def show_schedule_error(tx: Tx) -> None:
            tx.run("set_schedule_error", definition_id=row.definition_id, error=error, now=tx.now)

        self._store.transact(show_schedule_error)
        if error is None:
            del self._broken[key]
        else:
            log.error("workflow %s: %s", row.workflow, error)
            self._broken[key] = error


def fire_schedule(tx: Tx, row: Any, due: Due, revision: int = 0) -> int | None:
    """Submit what is due of the schedule in `row`, unless another daemon was faster. Returns the number of submissions.

    None: its calendar is not that of `revision` any more, so it has to be looked at again.
    """
    if row.calendar and hold_calendars(tx, row.tenant) != revision:
        return None
    key = {"definition_id": row.definition_id, "name": row.name}
    moved = tx.count(
        "advance_schedule",
        **key,
        **columns_of_times(row),
        was_at=row.next_fire_at,
        next_fire_at=due.next_at,
        last_fire_at=due.fires[-1].at if due.fires else None,
    )
    return sum(_submit(tx, key, row, fire) for fire in due.fires) if moved else 0


def _submit(tx: Tx, key: dict[str, Any], row: Any, fire: Fire) -> bool:
    """Submit one instant, unless that was done already."""
    tx.run("insert_fire", **key, fire_at=fire.at, now=tx.now)
    # It is linked in the transaction that makes it, so a row that has no instance yet is ours.
    if tx.one("find_fire", **key, fire_at=fire.at).instance_id is not None:
        return False
    columns = {
        "tenant": row.tenant,
        "workflow": row.workflow,
        "submitted_by": f"schedule:{row.workflow}",
        "trigger_type": "cron",
        "business_date": fire.business_date.isoformat(),
    }
    submitted = tx.one("insert_submission", **(SUBMISSION | columns))
    tx.run("link_fire", **key, fire_at=fire.at, instance_id=submitted.id)
    return True


def reset_next_fire(tx: Tx, definition_id: int, now: datetime) -> None:
    """Let the schedules of a workflow continue from `now`: call it when they are switched on again."""
    for row in tx.run("list_schedules_of", definition_id=definition_id):
        next_at = timetable.next_fire(times_in(row), now, _held_calendars(tx, definition_id, row.calendar))
        tx.run("set_next_fire", definition_id=definition_id, name=row.name, next_fire_at=next_at)


def save_schedule(
    tx: Tx, definition_id: int, schedule: Schedule | None, *, was_enabled: bool, is_enabled: bool
) -> None:
    """Make the stored schedule that of the file. A command's on or off stays unless the file's schedule has changed.

    Args:
        was_enabled, is_enabled: the workflow, before and now.
    """
    [row] = tx.run("list_schedules_of", definition_id=definition_id) or [None]
    if schedule is None:
        if row is not None:
            tx.run("delete_schedules", definition_id=definition_id)
    elif row is None or _schedule_of(row) != schedule:
        # One that was on continues where it stood if its times are the same; else it begins now.
        continues = was_enabled and row is not None and row.is_on and times_in(row) == _times_of(schedule)
        next_at = row.next_fire_at if continues else None
        tx.run(
            "save_schedule",
            definition_id=definition_id,
            name=NAME,
            cron=schedule.cron,
            timezone=schedule.timezone,
            catchup=schedule.catchup,
            catchup_limit=schedule.catchup_limit,
            enabled=int(schedule.enabled),
            calendar=schedule.calendar,
            session_time=schedule.at,
            session_days=schedule.days,
            day_window=schedule.window,
            next_fire_at=next_at
            or timetable.next_fire(schedule, tx.now, _held_calendars(tx, definition_id, schedule.calendar)),
        )
    elif is_enabled and not was_enabled:
        reset_next_fire(tx, definition_id, tx.now)


def _held_calendars(tx: Tx, definition_id: int, calendar: str) -> Calendars:
    """The calendars of a workflow's tenant, kept as they are until the transaction ends, for a schedule that goes by one."""
    if not calendar:
        return BUNDLED
    tenant = tx.one("find_tenant_of_definition", id=definition_id).tenant
    hold_calendars(tx, tenant)
    return load_book(tx, tenant)


def _schedule_of(row: Any) -> Schedule:
    """What a file says of the schedule in a row."""
    return replace(times_in(row), catchup=row.catchup, catchup_limit=row.catchup_limit, enabled=bool(row.enabled))


def _times_of(schedule: Schedule) -> Schedule:
    """When it fires, without what else a file says of it, as `times_in` has it of a row."""
    return replace(schedule, catchup="none", catchup_limit=0, enabled=True)


@verb("enable", needs=one_workflow, not_possible=NO_SCHEDULE)
def enable(tx: Tx, command: Command, workflow: Any, _: Caches) -> Reply:
    """Let a workflow fire by itself again, from now on: instants that passed meanwhile are not caught up."""
    _override(tx, command, workflow, enabled=1)
    reset_next_fire(tx, workflow.id, tx.now)
    return Reply({"workflow": command.workflow, "enabled": True}, ("schedule",))


@verb("disable", needs=one_workflow, not_possible=NO_SCHEDULE)
def disable(tx: Tx, command: Command, workflow: Any, _: Caches) -> Reply:
    """Let a workflow fire no more by itself; it can still be submitted."""
    _override(tx, command, workflow, enabled=0)
    return Reply({"workflow": command.workflow, "enabled": False}, ("schedule",))


def _override(tx: Tx, command: Command, workflow: Any, *, enabled: int) -> None:
    """It stays until the workflow's file changes the schedules."""
    if not tx.count("override_schedules", definition_id=workflow.id, enabled=enabled):
        raise NotPossible(workflow=command.workflow)
