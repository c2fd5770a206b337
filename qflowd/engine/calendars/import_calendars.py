"""Own calendars: a tenant imports them, as a document or a list of days, and removes them where nothing goes by them."""

from typing import Any, NamedTuple

from qflowd.calendars import bundled
from qflowd.calendars.own_calendars import (
    LONGEST_TEXT,
    SHIPS,
    CombinedFile,
    OwnCalendar,
    read_document,
    write_document,
)
from qflowd.calendars.session_list import of_csv
from qflowd.define.readers import mapping, short_text, text
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.calendars.calendar_changes import TOPICS, lock_calendars, plan_anew, refused
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    read_args,
    refuse_faults,
    refuse_other_targets,
    verb,
)
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidRequest
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx

_long = short_text(LONGEST_TEXT)


class Imported(NamedTuple):
    """What is imported."""

    own: OwnCalendar

    @property
    def kind(self) -> str:
        """As the view `own_calendars` has it."""
        if isinstance(self.own, CombinedFile):
            return "all_of" if self.own.all_of else "any_of"
        return self.own.kind


def wanted_calendar(_: Tx, command: Command) -> Imported:
    """The calendar that `args` hold. Raises: Refused with what is wrong in it, by its line where it is a list."""
    refuse_other_targets(command)
    fields = fields_of_args(command)
    name = fields.take("calendar", text, "")
    document, days = fields.take("document", mapping, None), fields.take("csv", _long, None)
    about = {key: fields.take(key, text, "") for key in ("timezone", "title", "first", "last")}
    if (document is None) == (days is None):
        fields.fault("needs a document, or the days as csv: one of the two")
    elif days is not None and not (name and about["timezone"]):
        fields.fault("needs the calendar's name and its timezone beside csv")
    fields.close()
    refuse_faults(fields)
    try:
        own = read_document(document) if days is None else of_csv(days, name, **about)
    except InvalidRequest as error:
        raise refused(error) from None
    if name and own.calendar != name:
        raise Refused(f"the document is of calendar {own.calendar}, not of {name}", Refusal.FAULTY)
    if own.calendar in bundled.names():
        raise Refused(SHIPS.format(own.calendar), Refusal.NAME_TAKEN)
    return Imported(own)


def own_calendar(_: Tx, command: Command) -> str:
    """The own calendar that `args` name. Raises: Refused if there is none."""
    refuse_other_targets(command)
    return str(read_args(command, calendar=text)["calendar"])


@verb("import_calendar", needs=wanted_calendar, args=None, not_possible="calendar {calendar} cannot be imported")
def import_calendar(tx: Tx, command: Command, wanted: Imported, _: Caches) -> Reply:
    """Store a calendar of the tenant, new or changed; schedules that go by it are planned anew.

    Raises: Refused if it cannot be, such as one that is made of itself.
    """
    name, before = wanted.own.calendar, lock_calendars(tx, command.tenant)
    tx.run(
        "save_own_calendar",
        tenant=command.tenant,
        calendar=name,
        kind=wanted.kind,
        title=wanted.own.title,
        document=write_document(wanted.own),
        set_by=command.requested_by,
        now=tx.now,
    )
    moved = plan_anew(tx, command.tenant, name, before)
    calendar = load_book(tx, command.tenant).calendar(name)
    about: dict[str, Any] = {"calendar": name, "kind": calendar.kind, "is_new": name not in before.own}
    about |= {"first": str(calendar.first), "last": str(calendar.last)}
    about["sessions"] = len(calendar.sessions(calendar.first, calendar.last))
    return Reply(about | {"moved": moved}, TOPICS)


@verb(
    "remove_calendar",
    needs=own_calendar,
    args=None,
    not_possible="calendar {calendar} is in use: {what} goes by it",
)
def remove_calendar(tx: Tx, command: Command, name: str, _: Caches) -> Reply:
    """Forget a calendar of the tenant, and the overrides of its days.

    Raises: NotPossible while a schedule, what a workflow expects, or another own calendar goes by it; Refused if there is none.
    """
    before = lock_calendars(tx, command.tenant)
    if name not in before.own:
        ships = " ships with qflowd and stays" if name in bundled.names() else ""
        raise Refused(
            f"calendar {name}{ships}" if ships else f"there is no own calendar {name!r}; `qflowd calendars` lists all",
            Refusal.FAULTY if ships else Refusal.NOT_FOUND,
        )
    for other in before.own:
        if other != name and name in before.depends_on(other):
            raise NotPossible(calendar=name, what=f"calendar {other}")
    for row in tx.run("list_schedules_of_tenant_by_calendar", tenant=command.tenant):
        if name in before.depends_on(row.calendar):
            raise NotPossible(calendar=name, what=f"the schedule of workflow {row.workflow}")
    for row in tx.run("list_calendars_of_expectations", tenant=command.tenant):
        if name in before.depends_on(row.calendar):
            raise NotPossible(calendar=name, what=f"what workflow {row.workflow} expects")
    tx.run("delete_overrides_of_calendar", tenant=command.tenant, calendar=name)
    tx.run("delete_own_calendar", tenant=command.tenant, calendar=name)
    return Reply({"calendar": name}, TOPICS)
