"""What a schedule has to fire: what is due, what was missed, and where it continues.

An instant that is noticed up to `GRACE_S` late is on time and always fires. What is later was missed, and `catchup`
decides: `none` leaves it out; `last` makes up for it with the latest missed instant, unless one that is on time does so
anyway; `all(n)` fires the latest n missed ones as well. A schedule that was off, or is new, begins at its first instant
from now on: what it did not fire then was not missed.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.calendars.timetable import Fire
from qflowd.model.workflow import Schedule

GRACE_S: Final = 60.0
MOST_FIRES: Final = 100  # of one schedule in one transaction
MOST_MISSED: Final = 200  # the latest, which are noted
_MOMENT: Final = timedelta(microseconds=1)


class Due(NamedTuple):
    """What a schedule has to fire now, earliest first, and where it continues: None past the horizon of its calendar.

    `missed`: the latest of those that nothing makes up for.
    """

    fires: tuple[Fire, ...]
    next_at: datetime | None
    missed: tuple[Fire, ...] = ()


def due_fires(
    schedule: Schedule, since: datetime, now: datetime, calendars: Calendars = BUNDLED, most: int = MOST_FIRES
) -> Due:
    """What is due of the instants from `since`, the first that was not handled yet, to `now`.

    Raises: OutsideCalendar if this release does not know of `since`, NotFound if it does not have the calendar; whatever
        croniter or zoneinfo make of an expression or zone that they do not know any more.
    """
    before, punctual = since - _MOMENT, now - timedelta(seconds=GRACE_S) - _MOMENT
    on_time, next_at = [], None
    for fire in timetable.fires(schedule, max(before, punctual), calendars):
        if fire.at > now:
            next_at = fire.at
            break
        on_time.append(fire)
    wanted = {"none": 0, "last": 0 if on_time else 1, "all": schedule.catchup_limit}[schedule.catchup]
    late: list[Fire] = []
    if before < punctual:
        late = timetable.latest_fires(schedule, before, punctual, wanted + MOST_MISSED, calendars)
    cut = max(0, len(late) - wanted)
    missed, fires = late[:cut], (*late[cut:], *on_time)
    if not fires and not missed:
        timetable.check_known(schedule, since, calendars)
    if len(fires) > most:
        return Due(fires[:most], fires[most].at, tuple(missed))
    return Due(fires, next_at, tuple(missed))
