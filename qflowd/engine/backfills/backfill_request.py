"""What a backfill is asked for: the args of its command, and the dates that follow from them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from qflowd.calendars.calendar_book import Calendars
from qflowd.define.readers import flag, mapping, one_of, text, whole
from qflowd.engine.backfills.day_window import read_window
from qflowd.engine.commands.control import Command, fields_of_args, refuse_faults
from qflowd.engine.refusal import Refused
from qflowd.model.errors import NotFound, OutsideCalendar
from qflowd.model.instants import parse_date
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json, Workflow

MOST_DATES: Final = 10_000  # of one backfill: forty years of sessions
MOST_ACTIVE: Final = 1_000
MAX_ACTIVE: Final = 4
PRIORITY: Final = -100  # below what is submitted without one
ORDERS: Final = ("oldest", "newest")


class BackfillRequest(NamedTuple):
    """What the args of a command `backfill` say."""

    first: date
    last: date
    calendar: str | None
    only_missing: bool
    newest_first: bool
    max_active: int
    priority: int
    params: Mapping[str, Json]
    window: str


class BackfillDates(NamedTuple):
    """The dates of a backfill in the order in which they run, and the zone of its window."""

    calendar: str  # "": every day
    timezone: str
    dates: Sequence[date]

    @property
    def of_what(self) -> str:
        """What they are, in words: `sessions of XSHG`, `days`."""
        return f"sessions of {self.calendar}" if self.calendar else "days"


def read_backfill(command: Command) -> BackfillRequest:
    """Raises: Refused with every fault."""
    fields = fields_of_args(command)
    asked = BackfillRequest(
        first=fields.need("from", _date, date.min),
        last=fields.need("to", _date, date.max),
        calendar=fields.take("calendar", text, None),
        only_missing=fields.take("only_missing", flag, False),
        newest_first=fields.take("order", one_of(*ORDERS), ORDERS[0]) == "newest",
        max_active=fields.take("max_active", whole(1, MOST_ACTIVE), MAX_ACTIVE),
        priority=fields.take("priority", whole(-1000, 1000), PRIORITY),
        params=fields.take("params", mapping, {}),
        window=fields.take("window", read_window, ""),
    )
    fields.close()
    refuse_faults(fields)
    if asked.first > asked.last:
        raise Refused(f"args.from: {asked.first} is after args.to, {asked.last}", Refusal.FAULTY)
    return asked


def dates_of(asked: BackfillRequest, workflow: Workflow, calendars: Calendars) -> BackfillDates:
    """The sessions of the calendar that is asked for, else of the workflow's, else all days.

    Raises: Refused for a calendar that is not there, for dates that it does not know, for none, and for too many.
    """
    name = asked.calendar or _calendar_of(workflow)
    if not name:
        zones = {each.timezone for each in workflow.named_schedules.values()}
        timezone = zones.pop() if len(zones) == 1 else "UTC"
        number = (asked.last - asked.first).days + 1
        _refuse_many(asked, number, "days")
        return BackfillDates("", timezone, _in_order(asked, [asked.first + timedelta(days=i) for i in range(number)]))
    try:
        sessions = calendars.calendar(name)
        found = BackfillDates(name, sessions.timezone, _in_order(asked, sessions.sessions(asked.first, asked.last)))
    except NotFound as error:
        raise Refused(f"args.calendar: {error}", Refusal.UNKNOWN_NAME) from None
    except OutsideCalendar as error:
        raise Refused(str(error), Refusal.FAULTY) from None
    if not found.dates:
        raise Refused(f"there are no {found.of_what} from {asked.first} to {asked.last}", Refusal.FAULTY)
    _refuse_many(asked, len(found.dates), found.of_what)
    return found


def _calendar_of(workflow: Workflow) -> str:
    """That of the workflow, else that of its schedules; "" if they go by none. Raises: Refused where they go by several."""
    names = {each.calendar for each in workflow.named_schedules.values() if each.calendar}
    if not workflow.calendar and len(names) > 1:
        raise Refused(
            f"args.calendar: is missing; schedules of workflow {workflow.key!r} go by {' and '.join(sorted(names))}",
            Refusal.FAULTY,
        )
    return workflow.calendar or "".join(names)


def _in_order(asked: BackfillRequest, dates: list[date]) -> list[date]:
    return dates[::-1] if asked.newest_first else dates


def _refuse_many(asked: BackfillRequest, number: int, of_what: str) -> None:
    if number > MOST_DATES:
        raise Refused(
            f"from {asked.first} to {asked.last} there are {number:,} {of_what}; a backfill has at most {MOST_DATES:,} "
            "dates: ask for a part of them, and for the next when that is done",
            Refusal.FAULTY,
        )


def _date(value: Any) -> date:
    return parse_date(text(value))
