"""Overrides: what people say of single days of a calendar. Schedules are planned anew in the transaction that says it."""

from datetime import date
from typing import Any, NamedTuple

from qflowd.calendars.calendar_book import exchange_of
from qflowd.calendars.combined import parts_of
from qflowd.calendars.day_overrides import KINDS, DayOverride, OverrideKind, check_override, closing_at
from qflowd.calendars.hours import format_hours, parse_session_hours, parse_some_hours
from qflowd.define.fields import Fields
from qflowd.define.readers import text
from qflowd.engine.calendars.calendar_changes import TOPICS, lock_calendars, plan_anew, refused
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    refuse_faults,
    refuse_other_targets,
    verb,
)
from qflowd.engine.refusal import LONGEST_ERROR, Refused
from qflowd.model import jsontext
from qflowd.model.errors import InvalidRequest, NotFound, OutsideCalendar
from qflowd.model.instants import parse_date
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx


class NamedDay(NamedTuple):
    """A day of a calendar, and what is said of it. `close`: an early close, instead of hours."""

    calendar: str
    day: date
    override: DayOverride = DayOverride("open")
    close: str = ""


def wanted_day(_: Tx, command: Command) -> NamedDay:
    """What `args` say of a day. Raises: Refused with every fault."""
    refuse_other_targets(command)
    fields = fields_of_args(command)
    name, day = _named(fields)
    kind: OverrideKind = fields.need("kind", _kind, "open")
    hours, close = fields.take("hours", _hours, ""), fields.take("close", text, "")
    if hours and close:
        fields.fault("stands beside hours; one of the two says when", "close")
    if close and kind != "half":
        fields.fault("is for half days", "close")
    fields.close()
    refuse_faults(fields)
    return NamedDay(name, day, DayOverride(kind, hours), close)


def named_day(_: Tx, command: Command) -> NamedDay:
    """The day that `args` name. Raises: Refused with every fault."""
    refuse_other_targets(command)
    fields = fields_of_args(command)
    name, day = _named(fields)
    fields.close()
    refuse_faults(fields)
    return NamedDay(name, day)


@verb(
    "override_day",
    needs=wanted_day,
    args=None,
    reason_is=", such as where it was announced; it is shown beside the day",
    not_possible="{day} of {calendar} cannot be overridden",
)
def override_day(tx: Tx, command: Command, wanted: NamedDay, _: Caches) -> Reply:
    """Say that a day of a calendar is closed, open or a half day, whatever its file says, until `restore_day`.

    Raises: Refused where that is said already, would change nothing, or is not a day that the calendar knows.
    """
    before = lock_calendars(tx, command.tenant)
    _refuse_overlap(tx, command.tenant, wanted)
    try:
        if parts_of(wanted.calendar)[1]:
            raise InvalidRequest(f"{wanted.calendar} is made of others; override the days of these")
        calendar = before.calendar(wanted.calendar)
        if wanted.close:
            wanted = wanted._replace(
                override=DayOverride("half", closing_at(calendar, wanted.day, wanted.close)),
            )
        check_override(calendar, wanted.day, wanted.override)
    except (InvalidRequest, NotFound, OutsideCalendar) as error:
        raise refused(error) from None
    kind, hours = wanted.override
    reason = jsontext.clean_text(command.reason or "")[:LONGEST_ERROR]
    about: dict[str, Any] = {"calendar": wanted.calendar, "day": wanted.day.isoformat(), "kind": kind, "hours": hours}
    tx.run(
        "insert_calendar_override",
        **about,
        tenant=command.tenant,
        reason=reason,
        set_by=command.requested_by,
        now=tx.now,
    )
    moved = plan_anew(tx, command.tenant, wanted.calendar, before)
    return Reply(about | {"hours": hours or None, "moved": moved}, TOPICS)


@verb(
    "restore_day",
    needs=named_day,
    args=None,
    not_possible="{day} of {calendar} is not overridden; `qflowd calendars overrides` lists what is",
)
def restore_day(tx: Tx, command: Command, wanted: NamedDay, _: Caches) -> Reply:
    """Let a day of a calendar be what its file says.

    Raises: NotPossible if nothing else was said of it.
    """
    before = lock_calendars(tx, command.tenant)
    about: dict[str, Any] = {"calendar": wanted.calendar, "day": wanted.day.isoformat()}
    if not tx.count("delete_calendar_override", **about, tenant=command.tenant):
        raise NotPossible(**about)
    return Reply(about | {"moved": plan_anew(tx, command.tenant, wanted.calendar, before)}, TOPICS)


def _refuse_overlap(tx: Tx, tenant: str, wanted: NamedDay) -> None:
    """Raises: Refused if something is said of that day already: of the calendar, of its exchange, or of a product."""
    exchange = exchange_of(wanted.calendar)
    for row in tx.run("find_calendar_overrides", tenant=tenant, day=wanted.day.isoformat()):
        is_above_or_same = row.calendar in (wanted.calendar, exchange)
        if is_above_or_same or row.calendar.startswith(f"{wanted.calendar}."):
            hours = f" ({row.hours})" if row.hours else ""
            raise Refused(
                f"{wanted.day} of {row.calendar} is overridden already: {row.kind}{hours}, by {row.set_by or 'a command'}, "
                f"because: {row.reason}; `qflowd calendars restore {row.calendar} {wanted.day}` takes that away",
                Refusal.NAME_TAKEN,
            )


def _named(fields: Fields) -> tuple[str, date]:
    return fields.need("calendar", text, ""), fields.need("day", _day, date.min)


def _day(value: Json) -> date:
    return parse_date(text(value))


def _kind(value: Json) -> OverrideKind:
    for kind in KINDS:
        if value == kind:
            return kind
    raise ValueError(f"must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {value!r}")


def _hours(value: Json) -> str:
    parse_some_hours(hours := text(value), "parts, such as 09:30-11:30 13:00-15:00")
    return format_hours(parse_session_hours(hours))
