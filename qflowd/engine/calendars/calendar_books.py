"""The calendars of all tenants as a daemon knows them: read again when the revision of a tenant's has risen.

Expressions ask for calendars where no transaction is at hand, so the books are brought up to date by the transactions that
admit and claim: by one small statement a second at most, however many tasks there are.
"""

from collections.abc import Sequence
from typing import Final

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import BUNDLED, CalendarBook
from qflowd.store.clock import boottime
from qflowd.store.tx import Tx

FRESH_S: Final = 1.0  # so long other daemons may still go by what a calendar was before


class CalendarBooks:
    """Safe to use from several threads: a book is replaced, never changed."""

    def __init__(self) -> None:
        self._books: dict[str, CalendarBook] = {}
        self._fresh_until = 0.0  # CLOCK_BOOTTIME

    def book(self, tenant: str) -> CalendarBook:
        """The calendars of a tenant as they were known last."""
        return self._books.get(tenant, BUNDLED)

    def of(self, tenant: str) -> "TenantCalendars":
        """The calendars of a tenant as they are known whenever one is asked for."""
        return TenantCalendars(self, tenant)

    def refresh(self, tx: Tx) -> None:
        """Learn what has changed, unless that was asked a moment ago."""
        if boottime() >= self._fresh_until:
            self._fresh_until = boottime() + FRESH_S
            self.learn(tx)

    def learn(self, tx: Tx) -> None:
        """Learn what has changed."""
        revisions = {row.tenant: row.revision for row in tx.run("list_calendar_revisions")}
        changed = [tenant for tenant, revision in revisions.items() if self.book(tenant).revision != revision]
        if changed:
            self._books = {**self._books, **_load(tx, changed, revisions)}

    def expire(self) -> None:
        """Something was changed: the next `refresh` asks."""
        self._fresh_until = 0.0


class TenantCalendars:
    """The calendars of one tenant, always the newest that are known."""

    def __init__(self, books: CalendarBooks, tenant: str) -> None:
        self._books, self._tenant = books, tenant

    def calendar(self, name: str) -> Calendar:
        """Raises: NotFound, which names what comes near."""
        return self._books.book(self._tenant).calendar(name)


def load_book(tx: Tx, tenant: str) -> CalendarBook:
    """The calendars of a tenant as this transaction sees them. What it has locked by `hold_calendars` stays so."""
    revision = tx.one("find_calendar_revision", tenant=tenant)
    return BUNDLED if revision is None else _load(tx, [tenant], {tenant: revision.revision})[tenant]


def hold_calendars(tx: Tx, tenant: str) -> int:
    """Keep the calendars of a tenant as they are until the transaction ends; others may do so too. Returns their revision."""
    if (held := tx.one("hold_calendar_revision", tenant=tenant)) is None:  # what is not there cannot be held
        tx.run("add_calendar_revision", tenant=tenant)
        held = tx.one("hold_calendar_revision", tenant=tenant)
    return int(held.revision)


def _load(tx: Tx, tenants: Sequence[str], revisions: dict[str, int]) -> dict[str, CalendarBook]:
    """The books of these tenants. What is changed between both reads is known by an older revision, and read again."""
    wanted = [(tenant,) for tenant in sorted(tenants)]
    overrides, own = tx.run("load_calendar_overrides", rows=wanted), tx.run("load_own_calendars", rows=wanted)
    return {
        tenant: CalendarBook.of_rows(
            [row for row in overrides if row.tenant == tenant],
            [row for row in own if row.tenant == tenant],
            revisions[tenant],
        )
        for tenant in tenants
    }
