"""Commands on backfills: one is made, paused, resumed or stopped. Their rows belong to the service `backfills`."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from qflowd.define.readers import flag, whole
from qflowd.engine.admission.intake import Intake
from qflowd.engine.backfills.backfill_request import BackfillDates, BackfillRequest, dates_of, read_backfill
from qflowd.engine.backfills.backfill_step import submission_of, write_backfill
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    one_workflow,
    read_args,
    refuse_faults,
    refuse_other_targets,
    verb,
)
from qflowd.engine.definitions.archive import why_archived
from qflowd.engine.refusal import Refused, no_active_version
from qflowd.engine.request import read_request
from qflowd.model import jsontext
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.refusals import Refusal
from qflowd.model.states import BackfillState
from qflowd.model.workflow import Workflow
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import Tx

TOPICS: Final = ("backfill",)
NOT_POSSIBLE: Final = "backfill {id} is {state}"
ID: Final = whole(1, LARGEST_INSTANCE)


def _workflow(tx: Tx, command: Command) -> Any:
    return one_workflow(tx, command, to_change=True)  # of two that overlap, the second sees the first


@verb(
    "backfill", needs=_workflow, args=None, has_dry_run=True, not_possible="workflow {workflow!r} cannot be backfilled"
)
def backfill(tx: Tx, command: Command, definition: Any, caches: Caches) -> Reply:
    """Make a backfill; of a dry run, tell its dates.

    Raises: Refused for what can never run, for params that do not fit, and beside another one of the same dates.
    """
    asked = read_backfill(command)
    if definition.active_version is None:
        raise no_active_version(str(command.workflow))
    if why := why_archived(definition, str(command.workflow)):
        raise Refused(why)
    workflow = caches.plans.of_version(tx, definition.active_version).workflow
    found = dates_of(asked, workflow, load_book(tx, command.tenant))
    _refuse_singleton(asked, workflow)
    _refuse_overlap(tx, command, definition.id, asked)
    covered = _covered(tx, definition.id, found.dates) if asked.only_missing or command.is_dry_run else set()
    dates = [day for day in found.dates if not (asked.only_missing and day in covered)]
    about: dict[str, Any] = {"workflow": command.workflow, "of": found.of_what, "dates": len(dates)}
    if command.is_dry_run:
        about["covered"] = len(covered)
    if not dates:
        each = f"each of the {len(found.dates):,} {found.of_what} has a good run, or an open one"
        return Reply(about | {"already": f"nothing is missing: {each}"})
    _check_params(tx, command, asked, dates, caches)
    if command.is_dry_run:
        return Reply(about | {"list": [day.isoformat() for day in dates]})
    number = _insert(tx, command, definition.id, asked, found, dates)
    return Reply({"backfill": number, **about}, TOPICS)


def _refuse_singleton(asked: BackfillRequest, workflow: Workflow) -> None:
    """Raises: Refused where dates that run side by side would refuse or terminate each other."""
    concurrency = workflow.concurrency
    if concurrency is None or concurrency.keyed or not concurrency.policy.startswith("singleton"):
        return
    if asked.max_active > 1:
        raise Refused(
            f"args.max_active: instances of workflow {workflow.key!r} do not run side by side ({concurrency.policy}); "
            "ask for 1",
            Refusal.FAULTY,
        )


def _refuse_overlap(tx: Tx, command: Command, definition_id: int, asked: BackfillRequest) -> None:
    span: dict[str, Any] = {"first_date": asked.first.isoformat(), "last_date": asked.last.isoformat()}
    other = tx.one("find_overlapping_backfill", definition_id=definition_id, **span)
    if other is not None:
        raise Refused(
            f"backfill {other.id} of workflow {command.workflow!r}, from {other.first_date} to {other.last_date}, is open "
            f"and has some of these dates; wait for its end, or stop it: `qflowd backfills stop {other.id}`"
        )


def _covered(tx: Tx, definition_id: int, dates: Sequence[date]) -> set[date]:
    """Those with a good run, or an open one."""
    rows = [(place, day.isoformat()) for place, day in enumerate(dates)]
    had = tx.run("list_dates_with_runs", rows=rows, definition_id=definition_id)
    return {dates[row.place] for row in had if row.covered}


def _check_params(tx: Tx, command: Command, asked: BackfillRequest, dates: list[date], caches: Caches) -> None:
    """Would the submissions of the first and of the last date be admitted? Raises: Refused."""
    intake = Intake(caches.plans, caches.lanes, caches.jobs)
    params = jsontext.dump(dict(asked.params))
    for day in dict.fromkeys((dates[0], dates[-1])):
        columns = submission_of(0, command.tenant, str(command.workflow), params, asked.priority, day.isoformat())
        intake.check(tx, read_request({**columns, "id": 1}, tx.now))


def _insert(
    tx: Tx, command: Command, definition_id: int, asked: BackfillRequest, found: BackfillDates, dates: list[date]
) -> int:
    columns: dict[str, Any] = {
        "tenant": command.tenant,
        "definition_id": definition_id,
        "first_date": asked.first.isoformat(),
        "last_date": asked.last.isoformat(),
        "calendar": found.calendar,
        "only_missing": int(asked.only_missing),
        "newest_first": int(asked.newest_first),
        "max_active": asked.max_active,
        "priority": asked.priority,
        "params": jsontext.dump(dict(asked.params)),
        "day_window": asked.window,
        "timezone": found.timezone,
        "reason": command.reason,
        "requested_by": command.requested_by,
    }
    number = int(tx.one("insert_backfill", **columns, now=tx.now).id)
    rows = [(number, place, day.isoformat()) for place, day in enumerate(dates, 1)]
    tx.run("insert_backfill_dates", rows=rows)
    return number


def _locked(tx: Tx, command: Command) -> Any:
    """The backfill that `args` name. Raises: Refused if there is none."""
    refuse_other_targets(command)
    return _lock(tx, command, read_args(command, backfill=ID)["backfill"])


def _locked_to_stop(tx: Tx, command: Command) -> tuple[Any, bool]:
    """The backfill that `args` name, and whether what it runs is to be terminated. Raises: Refused if there is none."""
    refuse_other_targets(command)
    fields = fields_of_args(command)
    number, terminate = fields.need("backfill", ID, 0), fields.take("terminate", flag, False)
    fields.close()
    refuse_faults(fields)
    return _lock(tx, command, number), terminate


def _lock(tx: Tx, command: Command, number: int) -> Any:
    row = tx.one("lock_backfill", id=number, tenant=command.tenant)
    if row is None:
        raise Refused(f"there is no backfill {number}; `qflowd backfills` lists those there are", Refusal.NOT_FOUND)
    return row


@verb("pause_backfill", needs=_locked, args=None, not_possible=NOT_POSSIBLE)
def pause_backfill(tx: Tx, command: Command, row: Any, _: Caches) -> Reply:
    """Submit nothing more until `resume_backfill`. What it has submitted runs.

    Raises: NotPossible unless it runs.
    """
    if row.state != BackfillState.RUNNING:
        raise _not_possible(row)
    write_backfill(tx, row._replace(state=int(BackfillState.PAUSED), **_held(tx, command)))
    return Reply({"backfill": row.id}, TOPICS)


@verb("resume_backfill", needs=_locked, args=None, not_possible=NOT_POSSIBLE)
def resume_backfill(tx: Tx, _: Command, row: Any, __: Caches) -> Reply:
    """End a pause, by whomever.

    Raises: NotPossible if there is none.
    """
    if row.state != BackfillState.PAUSED:
        raise _not_possible(row)
    nobody = dict.fromkeys(("paused_by", "paused_at", "pause_reason"))
    write_backfill(tx, row._replace(state=int(BackfillState.RUNNING), **nobody))
    return Reply({"backfill": row.id}, TOPICS)


@verb("stop_backfill", needs=_locked_to_stop, args=None, not_possible=NOT_POSSIBLE)
def stop_backfill(tx: Tx, command: Command, named: tuple[Any, bool], _: Caches) -> Reply:
    """Submit nothing more, for good. What runs continues, unless `terminate` is true.

    Raises: NotPossible if it has ended, or is stopping already and nothing is to be terminated.
    """
    row, terminate = named
    if row.state >= BackfillState.DONE or (row.state == BackfillState.STOPPING and not terminate):
        raise _not_possible(row)
    active = tx.run("list_active_dates", id=row.id)
    for each in active if terminate else ():
        columns = {
            "tenant": row.tenant,
            "action": "terminate",
            "instance_id": each.submission_id,
            "reason": command.reason or f"backfill {row.id} was stopped",
            "requested_by": command.requested_by,
        }
        tx.run("insert_command", **(COMMAND | columns))
    state = BackfillState.STOPPING if active else BackfillState.STOPPED
    write_backfill(tx, row._replace(state=int(state), resumes_at=None, hold=None, **_held(tx, command)))
    return Reply({"backfill": row.id, "active": len(active)}, (*TOPICS, "command") if terminate else TOPICS)


def _held(tx: Tx, command: Command) -> dict[str, Any]:
    """The columns that say who has paused or stopped it, since when and why."""
    return {"paused_by": command.requested_by or "a command", "paused_at": tx.now, "pause_reason": command.reason}


def _not_possible(row: Any) -> NotPossible:
    return NotPossible(id=row.id, state=BackfillState(row.state).name)
