"""What all changes of a tenant's calendars have in common: they have them to themselves, and plan schedules anew."""

from typing import Final

from qflowd.calendars.calendar_book import CalendarBook
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.calendars.replanning import move_fires
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidRequest, NotFound, OutsideCalendar
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx

TOPICS: Final = ("calendar", "schedule")


def lock_calendars(tx: Tx, tenant: str) -> CalendarBook:
    """Have the calendars of a tenant to ourselves; they are as this book says."""
    tx.run("add_calendar_revision", tenant=tenant)
    tx.run("raise_calendar_revision", tenant=tenant)
    return load_book(tx, tenant)


def plan_anew(tx: Tx, tenant: str, name: str, before: CalendarBook) -> int:
    """Plan what depends on a calendar that has changed anew. Returns: how many schedules fire next at another time.

    Raises: Refused if an own calendar, or that of a schedule, could not be any more.
    """
    after = load_book(tx, tenant)
    try:
        for each in after.own:
            after.calendar(each)
        return move_fires(tx, tenant, name, before, after)
    except (InvalidRequest, NotFound, OutsideCalendar) as error:
        raise refused(error) from None


def refused(error: InvalidRequest | NotFound | OutsideCalendar) -> Refused:
    """The answer to whoever has asked for it."""
    return Refused(str(error), Refusal.NOT_FOUND if isinstance(error, NotFound) else Refusal.FAULTY)
