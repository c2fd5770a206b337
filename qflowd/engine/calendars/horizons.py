"""Horizons of calendars that are in use: an event tells that one is near, before schedules hold at it."""

import json
from contextlib import suppress
from datetime import datetime
from typing import ClassVar, Final

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.horizon import ends_soon
from qflowd.define import stored
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.model.errors import QflowdError
from qflowd.store.tx import Store, Tx

EVERY_S: Final = 3600.0

Used = dict[tuple[str, str], Calendar]  # by tenant and name


class Horizons:
    """The service that writes `calendar.horizon`, once for each tenant, calendar and last day, whatever the number of daemons."""

    name: ClassVar[str] = "horizons"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: set[tuple[str, str]] = set()  # tenants and keys, so that a look usually writes nothing

    def tick(self) -> float:
        self.write(self.look(self._store.clock.now()))
        return EVERY_S

    def look(self, now: datetime) -> Used:
        """Calendars in use whose horizon is near or past, and not told by this daemon."""
        used = self._store.read(calendars_in_use)
        return {
            at: each for at, each in used.items() if _ends_soon(each, now) and (at[0], _key(each)) not in self._told
        }

    def write(self, ending: Used) -> None:
        """Tell it, unless another daemon has."""
        rows = [
            (tenant, name, json.dumps({"last": each.last.isoformat()}), _key(each))
            for (tenant, name), each in sorted(ending.items())
        ]
        if rows:
            self._store.transact(
                lambda tx: tx.run("insert_horizon_events", rows=rows, now=tx.now), name="tell_horizons"
            )
            self._told |= {(row[0], row[3]) for row in rows}


def calendars_in_use(tx: Tx) -> Used:
    """Those that enabled schedules and workflows go by."""
    named = {(row.tenant, row.calendar) for row in tx.run("list_calendars_of_schedules")}
    for row in tx.run("list_documents_with_calendar"):
        with suppress(QflowdError):  # another release has stored it
            named.add((row.tenant, stored.read(row.document, row.workflow).calendar))
    books = {tenant: load_book(tx, tenant) for tenant, _ in named}
    used: Used = {}
    for tenant, name in sorted(named):
        with suppress(QflowdError):  # removed, not shipped with this release, or made of what has no day in common
            if name:
                used[tenant, name] = books[tenant].calendar(name)
    return used


def _ends_soon(calendar: Calendar, now: datetime) -> bool:
    """Whatever the data of one time zone say, the others are told of."""
    with suppress(Exception):
        return ends_soon(calendar, now)
    return False


def _key(calendar: Calendar) -> str:
    return f"{calendar.name} {calendar.last}"
