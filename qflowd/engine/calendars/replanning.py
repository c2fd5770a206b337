"""Replanning: schedules by a calendar get another next fire when what is known of the calendar has changed."""

import logging
from datetime import datetime
from typing import Any, Final

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import CalendarBook, Calendars
from qflowd.calendars.timetable import times_in
from qflowd.engine.calendars.calendar_books import hold_calendars, load_book
from qflowd.model.instants import FOREVER
from qflowd.store.tx import Tx

log = logging.getLogger("qflowd")
TIME_COLUMNS: Final = ("cron", "timezone", "calendar", "session_time", "session_days", "day_window")  # when a row fires


def replan(tx: Tx) -> None:
    """Let schedules by a calendar that are not due fire by what this release knows of it; call it when a daemon begins.

    One that was held continues where that began: `catchup` decides what is made up for. What this release does not know
    itself stays as another one has planned it.
    """
    rows = tx.run("list_schedules_by_calendar")
    tenants = sorted({row.tenant for row in rows})
    for tenant in tenants:
        hold_calendars(tx, tenant)
    books = {tenant: load_book(tx, tenant) for tenant in tenants}
    for row in rows:
        times = times_in(row)
        try:
            next_at = timetable.next_fire(times, _since(row, tx.now), books[row.tenant])
        except Exception as error:  # noqa: BLE001 - whatever another release has written, others must fire
            log.warning("schedule %s is left as it is planned: %s", timetable.in_words(times), error)
            continue
        if next_at is not None:
            _plan(tx, row, next_at)


def move_fires(tx: Tx, tenant: str, calendar: str, before: CalendarBook, after: CalendarBook) -> int:
    """Plan the schedules of a tenant that depend on a calendar anew, now that it is as `after` says.

    What is due stays so: it is looked at again when it fires. Returns: how many fire next at another instant.
    """
    moved = 0
    for row in tx.run("list_schedules_of_tenant_by_calendar", tenant=tenant):
        is_due = row.next_fire_at is not None and row.next_fire_at <= tx.now
        if is_due or calendar not in before.depends_on(row.calendar) | after.depends_on(row.calendar):
            continue
        next_at = _next(row, tx.now, before, after)
        moved += next_at != row.next_fire_at and _plan(tx, row, next_at)
    return moved


def _next(row: Any, now: datetime, before: Calendars, after: Calendars) -> datetime | None:
    times = times_in(row)
    if row.next_fire_at is None:
        return timetable.next_fire(times, _since(row, now), after)
    return timetable.moved_fire(times, row.next_fire_at, now, before, after)


def _since(row: Any, now: datetime) -> datetime:
    """From when on a schedule is to be planned: what passed while it was held is not handled yet."""
    held_at: datetime | None = row.held_at if row.next_fire_at is None else None
    return held_at or now


def _plan(tx: Tx, row: Any, next_at: datetime | None) -> int:
    key = {"definition_id": row.definition_id, "name": row.name}
    times = {column: getattr(row, column) for column in TIME_COLUMNS}
    plan: dict[str, Any] = {"next_fire_at": next_at, "held_at": _since(row, tx.now) if next_at is None else None}
    was_at = row.next_fire_at or FOREVER
    return tx.count("replan_schedule", **key, **times, **plan, was_at=was_at, now=tx.now)
