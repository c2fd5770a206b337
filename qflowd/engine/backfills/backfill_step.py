"""A step of a backfill, one transaction: what has ended is noted, and the next dates are submitted, with their links.

It begins by locking the backfill's row, so of two daemons the second finds what the first has written, and so does one that
tries again because the reply to its COMMIT was lost.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from qflowd.engine.backfills.day_window import opens_at
from qflowd.engine.plans.instances import BACKFILL_TRIGGER
from qflowd.model.refusals import Refusal
from qflowd.model.states import BackfillState, DateState, InstanceState
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Tx

LOOKED_AT: Final = 20  # dates in one step, of those that may turn out to have a run
HOLD_S: Final = 60.0  # until a date is submitted again that could not be let in for now
# Nothing is wrong with the date: its tenant has no room, another instance is in the way, or the workflow is off.
NOT_NOW: Final = (Refusal.QUOTA, Refusal.WRONG_STATE)


def step_backfill(tx: Tx, tenant: str, number: int) -> int:
    """Note what has ended of a backfill, and submit its next dates. Returns how many were submitted."""
    row = tx.one("lock_backfill", id=number, tenant=tenant)
    if row is None or row.state >= BackfillState.DONE:
        return 0
    active = tx.run("list_active_dates", id=number)
    ended = [each for each in active if _has_ended(each)]
    row = _settle(tx, row, ended)
    still = len(active) - len(ended)
    if row.state == BackfillState.STOPPING:
        row = row._replace(state=int(row.state if still else BackfillState.STOPPED))
    submitted = 0
    if row.state == BackfillState.RUNNING:
        row = _held(row, tx.now)
        if row.resumes_at is None:
            row, submitted = _submit_next(tx, row, still)
    write_backfill(tx, row)
    return submitted


def write_backfill(tx: Tx, row: Any) -> None:
    """Store what may change of a backfill, a row of `lock_backfill`."""
    columns = ("id", "state", "resumes_at", "hold", "paused_by", "paused_at", "pause_reason", "run_s")
    tx.run("update_backfill", **{name: getattr(row, name) for name in columns}, now=tx.now)


def submission_of(
    number: int, tenant: str, workflow: str, params: str, priority: int, day: str, *, is_repeated: bool = True
) -> dict[str, Any]:
    """The submission of one date. By its key, whatever is asked for twice is one instance.

    `is_repeated`: it is let in though the workflow has a run for this date.
    """
    return SUBMISSION | {
        "tenant": tenant,
        "workflow": workflow,
        "params": params,
        "business_date": day,
        "priority": priority,
        "allow_duplicates": int(is_repeated),
        "idempotency_key": f"backfill/{number}/{day}",
        "trigger_type": BACKFILL_TRIGGER,
        "submitted_by": f"backfill:{number}",
    }


def _has_ended(each: Any) -> bool:
    """Whether a row of `list_active_dates` is over: its instance has ended, or its submission was refused."""
    return not each.is_open if each.state is None else each.state >= InstanceState.SUCCESS


def _settle(tx: Tx, row: Any, ended: list[Any]) -> Any:
    """Write what dates came to. Those that could not be let in for now stand open again, and all wait a while."""
    if not ended:
        return row
    put_off = [each for each in ended if each.state is None and each.error_code in NOT_NOW]
    changes = [(row.id, each.place, int(_outcome(each)), each.submission_id) for each in ended if each not in put_off]
    changes += [(row.id, each.place, int(DateState.OPEN), None) for each in put_off]
    tx.run("set_backfill_dates", rows=sorted(changes))
    took = [(each.finished_at - each.created_at).total_seconds() for each in ended if each.state is not None]
    row = row._replace(run_s=row.run_s + sum(took))
    if put_off:
        row = row._replace(resumes_at=tx.now + timedelta(seconds=HOLD_S), hold=put_off[0].error)
    return row


def _outcome(each: Any) -> DateState:
    if each.state is None and each.error_code == Refusal.DATE_TAKEN:
        return DateState.SKIPPED
    return DateState.DONE if each.state == InstanceState.SUCCESS else DateState.FAILED


def _held(row: Any, now: datetime) -> Any:
    """The same with the instant until which it submits nothing; none if it may submit."""
    if row.resumes_at is not None and row.resumes_at > now:
        return row
    opening = opens_at(row.day_window, row.timezone, now) if row.day_window else None
    hold = f"outside of its window {row.day_window} ({row.timezone})" if opening else None
    return row._replace(resumes_at=opening, hold=hold)


def _submit_next(tx: Tx, row: Any, active: int) -> tuple[Any, int]:
    """Submit the next dates, as many as there is room for; the row as it is then, and their number."""
    room = row.max_active - active
    looked_at = max(LOOKED_AT if row.only_missing else 0, room + 1)
    waiting = tx.run("list_open_dates", id=row.id, batch=looked_at)
    workflow = tx.one("find_workflow_of_backfill", definition_id=row.definition_id)
    if not waiting and not active:
        return row._replace(state=int(BackfillState.DONE)), 0
    if room <= 0 or not workflow.may_run:
        return row, 0
    runs = _runs(tx, row, waiting)
    covered = {place for place, is_covered in runs.items() if is_covered}
    taken = [each for each in waiting if each.place not in covered][:room]
    last = taken[-1].place if len(taken) == room else waiting[-1].place if waiting else 0
    skipped = [each.place for each in waiting if each.place in covered and each.place <= last]
    changes: list[tuple[int, int, int, int | None]] = []
    changes += [(row.id, place, int(DateState.SKIPPED), None) for place in skipped]
    for each in taken:
        day = str(each.business_date)
        about = (row.id, row.tenant, workflow.workflow, row.params, row.priority, day)
        # Of two that want a missing date at once, the second is refused.
        columns = submission_of(*about, is_repeated=not row.only_missing or each.place in runs)
        number = int(tx.one("insert_submission", **columns).id)
        changes.append((row.id, each.place, int(DateState.ACTIVE), number))
    if changes:
        tx.run("set_backfill_dates", rows=sorted(changes))
    return row, len(taken)


def _runs(tx: Tx, row: Any, waiting: list[Any]) -> dict[int, bool]:
    """Of dates that have a run, by their places: whether it is good, or open. Asked if only missing ones are wanted."""
    if not row.only_missing or not waiting:
        return {}
    rows = [(each.place, str(each.business_date)) for each in waiting]
    found = tx.run("list_dates_with_runs", rows=rows, definition_id=row.definition_id)
    return {each.place: bool(each.covered) for each in found}
