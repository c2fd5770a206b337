"""Calendars that a tenant imports: stored, and removed where nothing goes by them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from qflowd.api.access.authorization import refuse_defining
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.bodies import ReasonQuery
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.calendars.calendar_file import CalendarKind
from qflowd.engine.access.audit import record
from qflowd.model.roles import Role
from qflowd.store.tx import Tx


class ImportBody(Body):
    """`document`: as files of calendars are, or with `all_of` or `any_of`; or `csv`, lines of a day, and perhaps its hours.

    `first`, `last`: what such a list speaks of; its own first and last day if left out.
    """

    document: Mapping[str, Any] | None = None
    csv: str | None = None
    timezone: str | None = None
    title: str | None = None
    first: date | None = None
    last: date | None = None
    reason: str | None = None


class ImportedCalendar(Item):
    """A calendar as it is stored now. `moved`: schedules that fire next at another time."""

    calendar: str
    kind: CalendarKind
    is_new: bool
    first: date
    last: date
    sessions: int
    moved: int


class RemovedCalendar(Item):
    """A calendar that is gone."""

    calendar: str


@route("POST", "/calendars/{name}/import", Role.DEFINE, errors=(40902,), does="command import_calendar")
def import_calendar(call: Call, name: str, body: ImportBody) -> ImportedCalendar:
    """Store a calendar of the tenant, new or changed. A list with a bad line is refused with its number."""
    about = {key: getattr(body, key) for key in ("document", "csv", "timezone", "title")}
    about |= {key: None if (day := getattr(body, key)) is None else str(day) for key in ("first", "last")}
    args = {"calendar": name} | {key: value for key, value in about.items() if value is not None}

    def work(tx: Tx) -> ImportedCalendar:
        result = do_verb(tx, call, "import_calendar", body.reason, args=args)
        record(tx, call.actor, "CREATE" if result["is_new"] else "UPDATE", "calendar", name, after=result)
        days = {key: date.fromisoformat(result[key]) for key in ("first", "last")}
        return ImportedCalendar(**result | days)

    refuse_defining(call, None)
    return call.change(work)


@route("DELETE", "/calendars/{name}", Role.DEFINE, errors=(40901, 42202), does="command remove_calendar")
def remove_calendar(call: Call, name: str, query: ReasonQuery) -> RemovedCalendar:
    """Forget a calendar that the tenant has imported."""

    def work(tx: Tx) -> RemovedCalendar:
        result = do_verb(tx, call, "remove_calendar", query.reason, args={"calendar": name})
        record(tx, call.actor, "DELETE", "calendar", name, before=result)
        return RemovedCalendar(**result)

    refuse_defining(call, None)
    return call.change(work)
