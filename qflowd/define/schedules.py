"""`schedule:` of a workflow, or several `schedules:` by name: a cron expression, times of sessions, or a fact to start on.

Calendars are imported when a schedule asks for one: other workflows do not pay for them.
"""

import re
from datetime import UTC, datetime, time
from typing import Final, Literal

from msgspec.structs import replace

from qflowd.define.fact_starts import read_start
from qflowd.define.fields import Fields
from qflowd.define.known_calendars import known_calendars
from qflowd.define.readers import flag, mapping, short_text, text
from qflowd.define.session_functions import fault_in_calendar
from qflowd.model import cron
from qflowd.model.names import fault_in_key
from qflowd.model.workflow import Json, Schedule

MOST_CATCHUP: Final = 10_000
MOST_SCHEDULES: Final = 100  # of one workflow
LONGEST_NAME: Final = 64  # as the columns are
LATER_KEYS: Final = frozenset({"business_date", "deadline", "jitter", "misfire_grace", "on", "overlap"})

_short: Final = short_text(LONGEST_NAME)

_Catchup = Literal["none", "last", "all"]
_CATCHUP_ALL: Final = re.compile(r"all\(\s*([0-9]{1,9})\s*\)")


def read_schedule(top: Fields, holder: Fields | None = None, key: str = "schedule") -> Schedule | None:
    """What `key` of `holder` says: a cron expression alone, or keys and values. None: nothing.

    Args:
        top: the whole document, whose calendar holds for a schedule that names none.
        holder: where it stands; `top` if it is the only schedule.
    """
    holder = holder or top
    value = holder.data.get(key)
    if value is None or isinstance(value, str):
        written = holder.take(key, cron.check, None)
        return Schedule(written) if written else None
    fields = holder.section(key)
    if not isinstance(value, dict):
        return None
    never: tuple[_Catchup, int] = ("none", 0)
    # A clock alone keeps to no calendar unless the schedule says so.
    by_session = value.get("at") is not None or value.get("days") is not None
    catchup, limit = fields.take("catchup", read_catchup, never)
    schedule = Schedule(
        cron=fields.take("cron", cron.check, ""),
        timezone=fields.take("timezone", cron.check_timezone, ""),
        catchup=catchup,
        catchup_limit=limit,
        enabled=fields.take("enabled", flag, True),
        calendar=fields.take("calendar", _calendar, "") or (_of_workflow(top) if by_session else ""),
        at=fields.take("at", _session_time, ""),
        days=fields.take("days", _session_days, ""),
        window=fields.take("window", _window, ""),
        params=fields.take("params", mapping, None),
        start_on=read_start(top, fields),
    )
    fields.close(LATER_KEYS)
    _check(top, fields, schedule)
    return _with_zone(schedule)


def read_schedules(top: Fields) -> dict[str, Schedule]:
    """What `schedules` says: each schedule under its name, written like the only one. Empty where there are none."""
    holder = top.section("schedules")
    if holder.data and top.data.get("schedule") is not None:
        top.fault("stands beside schedules; move it there, under a name", "schedule")
    if len(holder.data) > MOST_SCHEDULES:
        top.fault(f"has {len(holder.data)} schedules; at most {MOST_SCHEDULES} are allowed", "schedules")
        return {}
    found = {}
    for name in holder.data:
        if fault := fault_in_key(name, "schedule name"):
            holder.fault(fault, name)
        elif len(name) > LONGEST_NAME:
            holder.fault(f"schedule name has {len(name)} characters; at most {LONGEST_NAME} are allowed", name)
        elif holder.data[name] is None:
            holder.fault("is empty; write a cron expression, or {at: close+30m, calendar: XSHG}", name)
        elif (schedule := read_schedule(top, holder, name)) is not None:
            found[name] = schedule
    return found


def read_catchup(value: Json) -> tuple[_Catchup, int]:
    """What to do with missed instants, and with how many of them: `none`, `last` or `all(n)`."""
    if value in ("none", "last"):
        return value, 0
    match = _CATCHUP_ALL.fullmatch(value) if isinstance(value, str) else None
    limit = int(match[1]) if match else 0
    if not 1 <= limit <= MOST_CATCHUP:
        raise ValueError(f"must be none, last, or all(n) with n from 1 to {MOST_CATCHUP:,}, not {value!r}")
    return "all", limit


def _check(top: Fields, fields: Fields, schedule: Schedule) -> None:
    """What keys need of each other. Those that are faulty themselves are missed by nobody."""
    given = {key for key, value in fields.data.items() if value is not None}
    if "start_on" in given:
        return
    if not given & {"cron", "at"}:
        fields.fault("is missing; write cron, or at beside a calendar: {at: close+30m, calendar: XSHG}", "cron")
    if given >= {"cron", "at"}:
        fields.fault("stands beside cron; one of the two says when", "at")
    for key in ("at", "days"):
        if key in given and not schedule.calendar and "calendar" not in given and not top.data.get("calendar"):
            fields.fault("needs a calendar beside it, such as calendar: XSHG", key)
    if "at" in given and "window" in given:
        fields.fault("is for cron; `at` says when", "window")
    elif schedule.cron and schedule.window:
        _check_window(fields, schedule)
    if schedule.at and schedule.calendar:
        _check_anchor(fields, schedule)
    if schedule.calendar and not fields.faults:
        _check_times(fields, schedule)


def _check_window(fields: Fields, schedule: Schedule) -> None:
    from qflowd.calendars.timetable import is_ever_open

    if not is_ever_open(schedule):
        fields.fault(f"holds no time of day of {schedule.cron!r}, so it would never fire", "window")


def _check_anchor(fields: Fields, schedule: Schedule) -> None:
    from qflowd.calendars.session_times import parse_session_time

    found, anchor = known_calendars().calendar(schedule.calendar), parse_session_time(schedule.at).anchor
    if found.kind == "workday":
        fields.fault(f"{found.name} has days without hours; use cron beside calendar: {found.name}", "at")
    elif anchor.startswith("night") and not found.has_nights:
        fields.fault(f"{found.name} has no night sessions, so it would never fire", "at")
    if schedule.timezone not in ("", found.timezone):
        fields.fault(f"is that of the calendar, {found.timezone}, where `at` says when", "timezone")


def _check_times(fields: Fields, schedule: Schedule) -> None:
    """Since its calendar began it must have fired: what never fires is not what anybody means."""
    from qflowd.calendars import timetable

    name, known = schedule.calendar, known_calendars()
    begin = datetime.combine(known.calendar(name).first, time(), UTC)
    if timetable.next_fire(_with_zone(schedule), begin, known) is not None:
        return
    if schedule.days and timetable.next_fire(_with_zone(replace(schedule, days="")), begin, known) is not None:
        fields.fault(f"{schedule.days!r} never fires: {name} has no such session at these times", "days")
    else:
        fields.fault(f"{schedule.cron!r} never fires: none of its times is on a session of {name}", "cron")


def _with_zone(schedule: Schedule) -> Schedule:
    """With the zone that nobody wrote: that of the exchange."""
    if schedule.timezone:
        return schedule
    zone = "UTC"
    if schedule.calendar:
        zone = known_calendars().calendar(schedule.calendar).timezone
    return replace(schedule, timezone=zone)


def _calendar(value: Json) -> str:
    if fault := fault_in_calendar(name := text(value)):
        raise ValueError(fault)
    return name


def _of_workflow(top: Fields) -> str:
    """The workflow's own calendar; one that nobody has is a fault of its key, not of the schedule's."""
    name = top.data.get("calendar")
    return name if isinstance(name, str) and name and not fault_in_calendar(name) else ""


def _session_time(value: Json) -> str:
    from qflowd.calendars.session_times import parse_session_time

    parse_session_time(value)
    return _short("".join(text(value).split()))


def _session_days(value: Json) -> str:
    from qflowd.calendars.session_days import parse_session_days

    parse_session_days(value)
    return _short(" ".join(text(value).split()))


def _window(value: Json) -> str:
    from qflowd.calendars.hours import parse_some_hours

    parse_some_hours(written := text(value), "times of day, such as 08:50-15:20 20:50-02:35")
    return _short(" ".join(written.split()))
