"""`qflowd.calendar()`: a calendar by its name, in a job with what its tenant says of single days."""

from qflowd.calendars import bundled
from qflowd.calendars.calendar import Calendar
from qflowd.jobs.context import current


def calendar(name: str) -> Calendar:
    """The calendar of an exchange (`XSHG`), of a product of a futures exchange (`SHFE.rb`), or of work days (`CN`).

    In a job it has the overrides of the job's tenant. Elsewhere it is as it ships; `Client.calendar()` has those of a
    database.

    Raises: NotFound, which names what comes near.
    """
    attempt = current()
    return bundled.calendar(name) if attempt is None else attempt.known_calendar(name)
