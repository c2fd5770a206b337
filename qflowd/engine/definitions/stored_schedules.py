"""The rows of schedules: as the file has them, unless a command has changed when one fires, and planned from some instant on."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.calendars.timetable import times_in
from qflowd.engine.calendars.calendar_books import hold_calendars, load_book
from qflowd.engine.definitions.start_cycles import refuse_cycle_of_starts
from qflowd.model import jsontext
from qflowd.model.errors import NotFound
from qflowd.model.states import FactKind
from qflowd.model.workflow import Schedule
from qflowd.store.tx import Tx

log = logging.getLogger("qflowd")
NOT_SET: dict[str, Any] = dict.fromkeys(("file_schedule", "file_says", "set_by", "set_at", "set_reason"))
NEVER: dict[str, Any] = dict.fromkeys(("next_fire_at", "held_at", "facts_since_at"))


def save_schedules(
    tx: Tx, definition_id: int, schedules: Mapping[str, Schedule], *, was_enabled: bool, is_enabled: bool
) -> None:
    """Make the stored schedules those of the file. What commands have changed of one stays until the file's changes.

    Args:
        was_enabled, is_enabled: the workflow, before and now.
    """
    rows = {row.name: row for row in tx.run("list_schedules_of", definition_id=definition_id)}
    calendars_of(tx, definition_id, *schedules.values(), *map(times_in, rows.values()))  # locked before schedules
    changed: list[Any] = []
    for name in rows.keys() - schedules.keys():
        tx.run("delete_schedule", definition_id=definition_id, name=name)
    for name, schedule in schedules.items():
        row = rows.get(name)
        if row is None or of_file(row) != schedule:
            changed += [] if row is None else [row]
            # One that was on continues where it stood if its times are the same; else it begins now.
            continues = was_enabled and row is not None and row.is_on and _times_in(row) == _times_of(schedule)
            put_schedule(tx, definition_id, name, schedule, continues=row if continues else None)
    if is_enabled and not was_enabled:
        reset_next_fire(tx, definition_id, tx.now)
    if any("workflow" in (each.start_on or ()) for each in schedules.values()):
        refuse_cycle_of_starts(tx, definition_id)
    for row in changed:
        _tell_undone(tx, definition_id, row)


def _tell_undone(tx: Tx, definition_id: int, row: Any) -> None:
    """Log what commands had changed of a schedule, now that its file has changed it."""
    undone = []
    if row.enabled_override is not None:
        when = f" on {row.disabled_at:%F %T} UTC" if row.disabled_at and not row.enabled_override else ""
        done = "enabled" if row.enabled_override else "disabled"
        undone.append(f"{row.disabled_by or 'a command'} had {done} it{when}")
    if row.set_by is not None:
        undone.append(f"{row.set_by} had set it to {timetable.in_words(times_in(row))} on {row.set_at:%F %T} UTC")
    if undone:
        workflow = tx.one("find_name_of_definition", id=definition_id).workflow
        log.warning(
            "workflow %s: schedule %s is as its file says, which has changed: %s",
            workflow,
            row.name,
            ", ".join(undone),
        )


def put_schedule(
    tx: Tx, definition_id: int, name: str, schedule: Schedule, *, continues: Any = None, **override: Any
) -> None:
    """Store one schedule. `continues`: its row, which fires where it stood; without, from now on. `override`: of the file's."""
    if continues is not None and continues.next_fire_at is not None:
        plan = NEVER | {"next_fire_at": continues.next_fire_at}
    else:
        stood_at = continues and (continues.held_at or continues.facts_since_at)
        plan = _planned(tx, definition_id, schedule, stood_at or tx.now)
    columns: dict[str, Any] = {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "catchup": schedule.catchup,
        "catchup_limit": schedule.catchup_limit,
        "enabled": int(schedule.enabled),
        "enabled_override": None,
        "calendar": schedule.calendar,
        "session_time": schedule.at,
        "session_days": schedule.days,
        "day_window": schedule.window,
        "params": None if schedule.params is None else jsontext.dump(dict(schedule.params)),
        **start_columns(schedule.start_on),
    }
    tx.run("save_schedule", definition_id=definition_id, name=name, **(columns | plan | NOT_SET | override))


def reset_next_fire(tx: Tx, definition_id: int, now: datetime, name: str | None = None) -> None:
    """Let the schedules of a workflow, or the one of a name, continue from `now`: call it when they are switched on again."""
    rows = [row for row in tx.run("list_schedules_of", definition_id=definition_id) if name in (None, row.name)]
    calendars_of(tx, definition_id, *map(times_in, rows))  # locked before schedules
    for row in rows:
        plan = _planned(tx, definition_id, _times_in(row), now)
        tx.run("set_next_fire", definition_id=definition_id, name=row.name, **plan)


def schedule_of(row: Any) -> Schedule:
    """The schedule in a row, as it fires."""
    params = None if row.params is None else jsontext.parse(row.params, "params")
    more: dict[str, Any] = {"catchup": row.catchup, "catchup_limit": row.catchup_limit, "enabled": bool(row.enabled)}
    return replace(times_in(row), params=params, **more)


def of_file(row: Any) -> Schedule:
    """What the file says of the schedule in a row of `list_schedules_of`."""
    if row.file_schedule is None:
        return replace(schedule_of(row), start_on=start_of(row))
    return msgspec.json.decode(row.file_schedule, type=Schedule)


def start_columns(start_on: Mapping[str, str] | None) -> dict[str, Any]:
    """The columns that say on which fact a schedule starts."""
    for kind, name in (start_on or {}).items():
        return {"fact_kind": int(FactKind[kind.upper()]), "fact_name": name}
    return {"fact_kind": None, "fact_name": None}


def start_of(row: Any) -> dict[str, str] | None:
    """The fact on which the schedule in a row starts, as a file says it."""
    return None if row.fact_kind is None else {FactKind(row.fact_kind).name.lower(): row.fact_name}


def calendars_of(tx: Tx, definition_id: int, *schedules: Schedule) -> Calendars:
    """The calendars of a workflow's tenant, kept as they are until the transaction ends, for schedules that go by some."""
    if not any(each.calendar for each in schedules):
        return BUNDLED
    tenant = tx.one("find_name_of_definition", id=definition_id).tenant
    hold_calendars(tx, tenant)
    return load_book(tx, tenant)


def _planned(tx: Tx, definition_id: int, times: Schedule, now: datetime) -> dict[str, Any]:
    """When a schedule fires next after an instant; where its calendar does not know, it is held from then on.

    Of one that starts on a fact: since when facts count.
    """
    if times.start_on:
        return NEVER | {"facts_since_at": now}
    try:
        next_at = timetable.next_fire(times, now, calendars_of(tx, definition_id, times))
    except NotFound:  # a calendar that only another release has
        next_at = None
    return NEVER | {"next_fire_at": next_at, "held_at": now if next_at is None else None}


def _times_in(row: Any) -> Schedule:
    return replace(times_in(row), start_on=start_of(row))


def _times_of(schedule: Schedule) -> Schedule:
    """When it fires, without what else a file says of it, as `_times_in` has it of a row."""
    return replace(schedule, catchup="none", catchup_limit=0, enabled=True, params=None)
