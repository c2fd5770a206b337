"""Firing: schedules that are due together are fired together, in one transaction.

It locks their rows, asks what each has to fire, and writes that. What another daemon has locked is left to it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from qflowd.calendars.timetable import Fire
from qflowd.engine.calendars.calendar_books import CalendarBooks, hold_calendars
from qflowd.engine.calendars.replanning import TIME_COLUMNS
from qflowd.engine.definitions.due_fires import Due, due_fires
from qflowd.engine.definitions.stored_schedules import schedule_of
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Tx

# What of a row decides what is due.
DECIDING: Final = ("next_fire_at", "catchup", "catchup_limit", *TIME_COLUMNS)
MOST_AT_ONCE: Final = 1000  # submissions in a transaction; those of further schedules come with the next one


class FiredWorkflow(NamedTuple):
    """Whose schedule fires."""

    tenant: str
    workflow: str


class FiredSchedule(NamedTuple):
    """What became of a due schedule that was locked, a row of `lock_schedules`: what it has to fire, or why that is not known.

    `submissions`: how many were made.
    """

    row: Any
    due: Due | None
    error: Exception | None = None
    submissions: int = 0


def fire_schedules(tx: Tx, heads: Sequence[Any], books: CalendarBooks) -> list[FiredSchedule]:
    """Submit what is due of these schedules, rows of `list_due_schedules` in the order of their keys.

    `books`: brought up to date; calendars stay as they are until the transaction ends.

    Returns: what became of those that are still due and that no other daemon has locked, until there are enough.
    """
    for tenant in sorted({head.tenant for head in heads if head.calendar}):  # locked before schedules
        if hold_calendars(tx, tenant) != books.book(tenant).revision:
            books.learn(tx)
    names = {key_of(head): head for head in heads}
    outcomes: list[FiredSchedule] = []
    submissions = 0
    known: dict[tuple[Any, ...], Due] = {}  # many schedules fire by the same expression
    for row in sorted(tx.run("lock_schedules", rows=list(names), now=tx.now), key=key_of):
        tenant = names[key_of(row)].tenant
        times = (tenant if row.calendar else "", *(getattr(row, column) for column in DECIDING))
        try:
            due = known.get(times) or due_fires(schedule_of(row), row.next_fire_at, tx.now, books.book(tenant))
            known[times] = due
        except Exception as error:  # noqa: BLE001 - whatever time zone data or croniter say, others must fire
            outcomes.append(FiredSchedule(row, None, error))
            continue
        if submissions and submissions + len(due.fires) > MOST_AT_ONCE:
            break
        submissions += len(due.fires)
        outcomes.append(FiredSchedule(row, due))
    outcomes = _leave_out_fired(tx, outcomes)
    advances = [_advance(each, each.due, tx.now) for each in outcomes if each.due is not None]
    if advances:
        tx.run("advance_schedules", rows=advances)
    made = submit_fires(
        tx, [(names[key_of(each.row)], each.row, fire) for each in outcomes if each.due for fire in each.due.fires]
    )
    _note_missed(tx, outcomes)
    return [each._replace(submissions=len(made.get(key_of(each.row), ()))) for each in outcomes]


def submit_fires(
    tx: Tx, fires: Sequence[tuple[Any, Any, Fire]], by: str | None = None
) -> dict[tuple[int, str], list[int]]:
    """Submit instants of schedules, unless that was done already.

    Args:
        fires: whose (`tenant` and `workflow`), the row of the schedule, and the instant.
        by: who has asked for it, if nobody else than the clock did.

    Returns: the submissions that were made of each schedule.
    """
    if not fires:
        return {}
    rows = [(*key_of(row), fire.at, str(fire.business_date), 0) for _, row, fire in fires]
    tx.run("insert_fires", rows=rows, now=tx.now)
    # They are linked in the transaction that makes them, so a row that has no instance yet is ours.
    found = {
        (*key_of(row), row.fire_at): row.instance_id for row in tx.run("find_fires", rows=[row[:3] for row in rows])
    }
    made: dict[tuple[int, str], list[int]] = {}
    links = []
    for head, row, fire in fires:
        if found[(*key_of(row), fire.at)] is None:
            number = _submit(tx, head, row, fire, by)
            links.append((*key_of(row), fire.at, number))
            made.setdefault(key_of(row), []).append(number)
    if links:
        tx.run("link_fires", rows=links)
    return made


def _submit(tx: Tx, head: Any, row: Any, fire: Fire, by: str | None) -> int:
    columns = {
        "tenant": head.tenant,
        "workflow": head.workflow,
        "params": row.params,
        "submitted_by": by or f"schedule:{head.workflow}",
        "trigger_type": "cron",
        "business_date": fire.business_date.isoformat(),
    }
    return int(tx.one("insert_submission", **(SUBMISSION | columns)).id)


def _leave_out_fired(tx: Tx, outcomes: Sequence[FiredSchedule]) -> list[FiredSchedule]:
    """The same without sessions that a schedule by session has fired for, at whatever time, unless that run failed."""
    days = {
        (*key_of(each.row), str(fire.business_date))
        for each in outcomes
        if each.row.session_time and each.due is not None
        for fire in each.due.fires + each.due.missed
    }
    found = tx.run("list_fired_days", rows=sorted(days)) if days else []
    fired = {(*key_of(row), str(row.business_date)[:10]) for row in found}
    return [_without(each, fired) if fired else each for each in outcomes]


def _without(outcome: FiredSchedule, fired: set[tuple[int, str, str]]) -> FiredSchedule:
    if (due := outcome.due) is None or not outcome.row.session_time:
        return outcome
    fires, missed = (
        tuple(fire for fire in fires if (*key_of(outcome.row), str(fire.business_date)) not in fired)
        for fires in (due.fires, due.missed)
    )
    return outcome._replace(due=due._replace(fires=fires, missed=missed))


def _note_missed(tx: Tx, outcomes: Sequence[FiredSchedule]) -> None:
    missed = [(*key_of(each.row), fire) for each in outcomes if each.due is not None for fire in each.due.missed]
    if missed:
        rows = [(number, name, fire.at, str(fire.business_date), 1) for number, name, fire in missed]
        tx.run("insert_fires", rows=rows, now=tx.now)


def _advance(outcome: FiredSchedule, due: Due, now: datetime) -> tuple[Any, ...]:
    """The row of `advance_schedules`."""
    last = due.fires[-1].at if due.fires else None
    return (*key_of(outcome.row), due.next_at, last, now if due.next_at is None else None)


def key_of(row: Any) -> tuple[int, str]:
    """What tells schedules apart: the id of the workflow's definition, and the name."""
    return row.definition_id, row.name
