"""Horizons of calendars that are in use: an event tells that one is near, before schedules hold at it."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.horizon import ends_soon
from qflowd.define import stored
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.model.errors import NotFound, Unreadable
from qflowd.store.tx import Store, Tx

EVERY: Final = timedelta(hours=1)

Used = dict[tuple[str, str], Calendar]  # by tenant and name


class Horizons:
    """Writes `calendar.horizon`, once for each tenant, calendar and last day. Any number of daemons may do so at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked_at: datetime | None = None
        self._told: set[tuple[str, str]] = set()  # tenants and keys, so that a look usually writes nothing

    def tick(self) -> None:
        """Look, unless that was done within the hour."""
        now = self._store.clock.now()
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + EVERY:
            return
        self.write(self.look(now))
        self._looked_at = now

    def look(self, now: datetime) -> Used:
        """Calendars in use whose horizon is near or past, and not told by this daemon."""
        used = self._store.read(calendars_in_use)
        return {at: each for at, each in used.items() if ends_soon(each, now) and (at[0], _key(each)) not in self._told}

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
        with suppress(Unreadable):  # another release has stored it
            named.add((row.tenant, stored.read(row.document, row.workflow).calendar))
    books = {tenant: load_book(tx, tenant) for tenant, _ in named}
    used: Used = {}
    for tenant, name in sorted(named):
        with suppress(NotFound):  # removed, or not shipped with this release: what goes by it says so
            if name:
                used[tenant, name] = books[tenant].calendar(name)
    return used


def _key(calendar: Calendar) -> str:
    return f"{calendar.name} {calendar.last}"
