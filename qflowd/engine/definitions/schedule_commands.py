"""Commands on schedules: on and off, fire now, and another time than the file says.

What a command has changed stays until the file's schedule changes.
"""

from typing import Any, Final

import msgspec

from qflowd.calendars import timetable
from qflowd.calendars.timetable import Fire, times_in
from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.known_calendars import known_calendars
from qflowd.define.readers import text
from qflowd.define.schedules import read_schedule
from qflowd.define.writing import dump_schedule
from qflowd.engine.commands.control import (
    Caches,
    Command,
    Later,
    NotPossible,
    Reply,
    fields_of_args,
    one_workflow,
    refuse_faults,
    verb,
)
from qflowd.engine.definitions.firing import FiredWorkflow, submit_fires
from qflowd.engine.definitions.start_cycles import refuse_cycle_of_starts
from qflowd.engine.definitions.stored_schedules import calendars_of, of_file, put_schedule, reset_next_fire
from qflowd.engine.definitions.versions import lock_workflow
from qflowd.engine.definitions.workflow_store import load_workflow
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidWorkflow, NotFound, OutsideCalendar
from qflowd.model.instants import parse_date
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json, Schedule
from qflowd.store.tx import Tx

NO_SCHEDULE: Final = "workflow {workflow!r} has no schedule; give it one in its file"
ONE: Final = {"schedule": text}
# What a command may set, as a file writes it; null or an empty string takes away what the file says.
TIMES: Final = ("cron", "at", "timezone", "calendar", "days", "window", "catchup")


@verb("enable", needs=one_workflow, not_possible=NO_SCHEDULE, args=ONE)
def enable(tx: Tx, command: Command, workflow: Any, _: Caches) -> Reply:
    """Let schedules fire by themselves again, from now on: instants that passed meanwhile are not caught up.

    All of a workflow, or the one that `args` names; so do the others.
    """
    return _switch(tx, command, workflow, is_on=True)


@verb("disable", needs=one_workflow, not_possible=NO_SCHEDULE, args=ONE)
def disable(tx: Tx, command: Command, workflow: Any, _: Caches) -> Reply:
    """Let schedules fire no more by themselves; the workflow can still be submitted."""
    return _switch(tx, command, workflow, is_on=False)


def _switch(tx: Tx, command: Command, workflow: Any, *, is_on: bool) -> Reply:
    """It stays until the workflow's file changes the schedule."""
    rows = _named(tx, command, workflow)
    if is_on:
        calendars_of(tx, workflow.id, *map(times_in, rows))  # locked before schedules
    about: dict[str, Any] = dict.fromkeys(("disabled_by", "disabled_at", "disable_reason"))
    if not is_on:
        about = {"disabled_by": command.requested_by, "disabled_at": tx.now, "disable_reason": command.reason}
    for row in rows:
        tx.run("switch_schedule", definition_id=workflow.id, name=row.name, enabled=int(is_on), **about)
        if is_on and not row.is_on:  # one that is on continues where it stands
            reset_next_fire(tx, workflow.id, tx.now, row.name)
    return Reply({"workflow": command.workflow, **command.args, "enabled": is_on}, ("schedule",))


@verb(
    "fire",
    needs=one_workflow,
    not_possible=NO_SCHEDULE,
    args={**ONE, "business_date": lambda value: parse_date(text(value))},
)
def fire(tx: Tx, command: Command, workflow: Any, _: Caches) -> Reply:
    """Submit what a schedule submits, now, also where it is off. Its times stay as they are.

    It is for `business_date`, else for the session that now belongs to, or that was before; without a calendar for today
    in the schedule's zone.
    """
    row = _one(tx, command, workflow)
    given = command.args.get("business_date")
    try:
        book = calendars_of(tx, workflow.id, times_in(row))
        day = timetable.day_of(times_in(row), tx.now, book) if given is None else parse_date(text(given))
    except (NotFound, OutsideCalendar) as error:
        raise Refused(f"schedule {row.name!r}: {error}; or name the day: args.business_date") from None
    tx.run("lock_schedule", definition_id=workflow.id, name=row.name)  # else the clock may fire the same session now
    head = FiredWorkflow(command.tenant, str(command.workflow))
    made = submit_fires(tx, [(head, row, Fire(tx.now, day))], by=command.requested_by or "command")
    if not made:
        raise Later("it was fired at this very instant")
    [[number]] = made.values()
    answer = {"workflow": command.workflow, "schedule": row.name, "submission_id": number, "business_date": str(day)}
    return Reply(answer, ("submission",))


@verb("set_schedule", needs=lock_workflow, not_possible=NO_SCHEDULE, args=None)
def set_schedule(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Let a schedule fire at other times than its file says, from now on, until the file's schedule changes.

    `args`: the keys of a schedule in a file; what is left out is as the file says.
    """
    row = _one(tx, command, definition)
    in_file = of_file(row)
    wanted = _merged(command, in_file, tx, definition)
    override: dict[str, Any] = {"enabled_override": row.enabled_override}
    if wanted != in_file:
        override |= {"file_schedule": msgspec.json.encode(in_file).decode(), "file_says": timetable.in_words(in_file)}
        override |= {"set_by": command.requested_by or "command", "set_at": tx.now, "set_reason": command.reason}
    put_schedule(tx, definition.id, row.name, wanted, **override)
    answer = {"workflow": command.workflow, "schedule": row.name, "times": timetable.in_words(wanted)}
    return Reply(answer, ("schedule",))


@verb("reset_schedule", needs=lock_workflow, not_possible=NO_SCHEDULE, args=ONE)
def reset_schedule(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Let a schedule fire as its file says again, from now on; on or off, it stays as a command has switched it.

    Raises: Refused if no command has set it, or if workflows would start each other again.
    """
    row = _one(tx, command, definition)
    if row.file_schedule is None:
        raise Refused(
            f"schedule {row.name!r} of workflow {command.workflow!r} is as its file says: no command has set it"
        )
    in_file = of_file(row)
    put_schedule(tx, definition.id, row.name, in_file, enabled_override=row.enabled_override)
    try:
        refuse_cycle_of_starts(tx, definition.id)
    except InvalidWorkflow as error:
        raise Refused(f"schedule {row.name!r}: {error.faults[0].message}", Refusal.CYCLE) from None
    answer = {"workflow": command.workflow, "schedule": row.name, "times": timetable.in_words(in_file)}
    return Reply(answer, ("schedule",))


def _merged(command: Command, in_file: Schedule, tx: Tx, definition: Any) -> Schedule:
    """What the file says, with what `args` of a command set.

    Raises: Refused with every fault.
    """
    fields = fields_of_args(command)
    fields.take("schedule", text, None)
    given = {key: command.args[key] for key in TIMES if key in command.args}
    for key in given:
        fields.take(key, lambda value: value, None)
    fields.close()
    if not given:
        fields.fault(f"say when it fires: {', '.join(TIMES)}, as in a file")
    refuse_faults(fields)
    workflow = load_workflow(tx, definition.active_version)
    written = {key: value for key, value in (_kept(in_file, given) | given).items() if value not in (None, "")}
    top = Fields.of(Document({"schedule": written, "calendar": workflow.calendar or None}))
    schedule = read_schedule(top)
    refuse_faults(top)
    if schedule is None:
        raise Refused("it says no time", Refusal.FAULTY)
    return schedule


def _kept(in_file: Schedule, given: dict[str, Json]) -> dict[str, Json]:
    """What the file says as far as it can stand beside what is given."""
    kept = dump_schedule(in_file)
    gone = {"start_on"} if given.get("at") or given.get("cron") else set()
    if given.get("at") is not None:
        gone |= {"cron", "window", "timezone"}
    if given.get("cron") is not None:
        gone |= {"at"}
    if (
        given.get("calendar") is not None
        and in_file.calendar
        and in_file.timezone == known_calendars().calendar(in_file.calendar).timezone
    ):
        gone |= {"timezone"}
    return {key: value for key, value in kept.items() if key not in gone}


def _one(tx: Tx, command: Command, workflow: Any) -> Any:
    """The schedule that a command is for; it need not be named if there is one alone.

    Raises: Refused; NotPossible if there is none.
    """
    rows = _named(tx, command, workflow)
    if len(rows) > 1:
        names = ", ".join(row.name for row in rows)
        raise Refused(
            f"workflow {command.workflow!r} has {len(rows)} schedules: {names}; name one by args.schedule",
            Refusal.FAULTY,
        )
    return rows[0]


def _named(tx: Tx, command: Command, workflow: Any) -> list[Any]:
    """The schedule that `args` name, or all of a workflow. Raises: Refused; NotPossible if there is none."""
    rows = list(tx.run("list_schedules_of", definition_id=workflow.id))
    if (name := command.args.get("schedule")) is None:
        if not rows:
            raise NotPossible(workflow=command.workflow)
        return rows
    found = [row for row in rows if row.name == str(name)]
    if not found:
        names = [row.name for row in rows]
        has = did_you_mean(str(name), names) if names else "; it has none"
        raise Refused(
            f"workflow {command.workflow!r} has no schedule {name!r}{has}",
            Refusal.NOT_FOUND,
        )
    return found
