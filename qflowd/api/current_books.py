"""The calendars of a tenant as they are now: read only when one of them has been changed."""

from typing import Final

from qflowd.api.cache import LruCache
from qflowd.api.call import Call
from qflowd.calendars.calendar_book import CalendarBook

KEPT: Final = 100  # of tenants


def known_calendars(call: Call) -> CalendarBook:
    """All of a tenant's by their names; the same book for as long as nothing of them changes."""
    revisions = call.read("find_calendar_revision")
    key = (call.store.dialect.describe(), call.tenant, revisions[0].revision if revisions else 0)
    if (book := _BOOKS.find(key)) is None:
        book = call.client.calendars()
        _BOOKS.remember([(key, book)])
    return book


_BOOKS: Final[LruCache[tuple[str, str, int], CalendarBook]] = LruCache(KEPT)
