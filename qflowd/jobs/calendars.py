"""`qflowd.calendar()`: a calendar by its name, in a job with what its tenant says of single days."""

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import BUNDLED
from qflowd.jobs.context import current


def calendar(name: str) -> Calendar:
    """The calendar of an exchange (`XSHG`), of a product of a futures exchange (`SHFE.rb`), or of work days (`CN`).

    `XSHG & XHKG` has the days on which both have a session, `XSHG | XHKG` those of either. In a job there are the tenant's
    own calendars, too, and its overrides. Elsewhere it is as it ships; `Client.calendar()` has those of a
    database.

    Raises: NotFound, which names what comes near.
    """
    attempt = current()
    return BUNDLED.calendar(name) if attempt is None else attempt.calendars.calendar(name)
