"""Days of calendars that people override: listed, set and taken away. What depends on them is planned anew at once."""

from datetime import date, datetime
from typing import Any

from qflowd.api.access.authorization import refuse_defining
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.bodies import ReasonQuery
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.api.row_fields import items_of
from qflowd.calendars.calendar_book import exchange_of
from qflowd.calendars.day_overrides import OverrideKind
from qflowd.engine.access.audit import record
from qflowd.model.errors import InvalidRequest
from qflowd.model.instants import parse_date
from qflowd.model.roles import Role
from qflowd.store.tx import Tx


class DayOverrideItem(Item):
    """What people say of a day: of `calendar`, which is an exchange or one of its products. `hours` null: the usual ones."""

    calendar: str
    day: date
    kind: OverrideKind
    hours: str | None
    reason: str
    set_by: str | None
    set_at: datetime


class OverrideBody(Body):
    """`kind`: closed, open or half. `hours`: such as `09:30-11:30 13:00-15:00`; `close`: of a half day, instead of hours."""

    day: date
    kind: OverrideKind
    reason: str
    hours: str | None = None
    close: str | None = None


class MovedFires(Item):
    """A day of a calendar as it is now. `kind` null: as its file says. `moved`: schedules that fire next at another time."""

    calendar: str
    day: date
    kind: OverrideKind | None
    hours: str | None
    moved: int


@route("GET", "/calendars/{name}/days", Role.READ)
def list_calendar_days(call: Call, name: str) -> list[DayOverrideItem]:
    """The overridden days of a calendar, those of the exchange of a product among them."""
    return overrides_of(call, call.client.calendar(name).name)


@route("PUT", "/calendars/{name}/days", Role.DEFINE, errors=(40902,), does="command override_day")
def set_calendar_day(call: Call, name: str, body: OverrideBody) -> MovedFires:
    """Say that a day is closed, open or a half day, whatever the calendar's file says."""
    given = {"day": str(body.day), "kind": body.kind, "hours": body.hours, "close": body.close}
    args = {key: value for key, value in given.items() if value is not None}
    return _do(call, "override_day", name, args, body.reason)


@route("DELETE", "/calendars/{name}/days/{day}", Role.DEFINE, errors=(40901, 42202), does="command restore_day")
def restore_calendar_day(call: Call, name: str, day: str, query: ReasonQuery) -> MovedFires:
    """Let a day be what the calendar's file says."""
    try:
        parse_date(day)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    return _do(call, "restore_day", name, {"day": day}, query.reason)


def overrides_of(call: Call, name: str) -> list[DayOverrideItem]:
    """What counts for a calendar."""
    rows = call.read("list_calendar_overrides")
    return items_of([row for row in rows if row.calendar in (name, exchange_of(name))], DayOverrideItem)


def _do(call: Call, action: str, name: str, args: dict[str, Any], reason: str | None) -> MovedFires:
    refuse_defining(call, None)

    def work(tx: Tx) -> MovedFires:
        result = do_verb(tx, call, action, reason, args={"calendar": name, **args})
        values = args if reason is None else args | {"reason": reason}
        record(tx, call.actor, "UPDATE" if "kind" in args else "DELETE", "calendar", name, after=values)
        return MovedFires(**{"kind": None, "hours": None} | result | {"day": date.fromisoformat(result["day"])})

    return call.change(work)
