"""`qflowd calendars override`, `restore`, `overrides`, `import` and `remove`: what people say of calendars."""

from pathlib import Path
from typing import Any, Final, TextIO

import click

from qflowd.calendars import bundled
from qflowd.calendars.day_overrides import KINDS
from qflowd.calendars.own_calendars import SHIPS, read_document
from qflowd.calendars.session_list import of_csv
from qflowd.cli.control import REFUSED, carry_out, command_options
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.model import jsontext
from qflowd.model.errors import InvalidRequest

COLUMNS: Final = "calendar | day | kind | hours | reason | SET BY:set_by | SET AT (UTC):set_at"


@click.command()
@click.argument("name", required=False)
@json_option
def overrides(*, name: str | None, as_json: bool) -> None:
    """List the days of calendars, or of NAME, that people have overridden, with the reason."""
    with open_client() as client:
        if name is not None:
            client.calendar(name)
        rows = client.calendar_overrides(name)
    print_list(rows, COLUMNS, "no day is overridden; `qflowd calendars override` does it", as_json=as_json)


@click.command(
    help="Say that DAY of NAME is closed, open or a half day, whatever its file says; schedules are planned anew.\n\n"
    "NAME is that of a calendar, whose products follow, or of a product. Needs --reason, such as where it was announced.\n\n"
    + REFUSED
)
@click.argument("name")
@click.argument("day")
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "--hours", metavar="HOURS", help="Such as '09:30-11:30 13:00-15:00'; if open, the usual ones if not given."
)
@click.option("--close", metavar="TIME", help="Of a half day, instead of --hours: when it closes, such as 12:00.")
@command_options
def override(*, name: str, day: str, kind: str, hours: str | None, close: str | None, **options: Any) -> int:
    """See `help` above."""
    asked = {"calendar": name, "day": day, "kind": kind, "hours": hours, "close": close}
    args = {key: value for key, value in asked.items() if value is not None}
    return carry_out("override_day", [(f"override {name} {day}", {"args": args})], outcome, is_one=True, **options)


@click.command(help=f"Let DAY of NAME be what its file says.\n\n{REFUSED}")
@click.argument("name")
@click.argument("day")
@command_options
def restore(*, name: str, day: str, **options: Any) -> int:
    """See `help` above."""
    args = {"calendar": name, "day": day}
    return carry_out("restore_day", [(f"restore {name} {day}", {"args": args})], outcome, is_one=True, **options)


@click.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--name", help="Of a list of days: what the calendar is called; the file's name if not given.")
@click.option("--timezone", "zone", metavar="ZONE", help="Of a list of days, such as Asia/Shanghai.")
@click.option("--title", help="Of a list of days: the calendar in words.")
@click.option("--first", metavar="DATE", help="The first day that the list speaks of; its first one if not given.")
@click.option("--last", metavar="DATE", help="The last day that the list speaks of; its last one if not given.")
@command_options
def import_(*, file: TextIO, name: str | None, zone: str | None, **options: Any) -> int:
    """Store the calendar in FILE (- reads stdin) beside those that ship, new or changed.

    FILE is JSON as the calendars that ship are, or names calendars that it is made of (all_of or any_of); or a list of
    sessions in CSV: lines of a day, and perhaps its hours. Exit code 2 if the file cannot be read as one, whether or not
    a daemon runs; 1 if it is refused, or no daemon answers.
    """
    about = {key: options.pop(key) for key in ("title", "first", "last")}
    args = _args_of(file.read(), file.name, name or Path(file.name).stem, zone, about)
    return carry_out("import_calendar", [(f"import {file.name}", {"args": args})], _imported, is_one=True, **options)


def _args_of(written: str, file: str, name: str, zone: str | None, about: dict[str, str | None]) -> dict[str, Any]:
    """What is sent of a file, once it was read as the daemon will. `name`, `zone`, `about`: of a list of days.

    Raises: InvalidRequest with the file, and the line of a list.
    """
    given = {key: value for key, value in about.items() if value is not None}
    try:
        if written.lstrip().startswith("{"):
            args: dict[str, Any] = {"document": jsontext.parse(written, "the document")}
            own = read_document(args["document"])
        elif zone is None:
            raise InvalidRequest("this is a list of days, which needs --timezone, such as Asia/Shanghai")
        else:
            args = {"csv": written, "calendar": name, "timezone": zone} | given
            own = of_csv(written, name, zone, **given)
    except (InvalidRequest, ValueError) as error:
        raise InvalidRequest(f"{file}: {error}") from None
    if own.calendar in bundled.names():
        raise InvalidRequest(f"{file}: {SHIPS.format(own.calendar)}")
    return args


@click.command(help=f"Forget the own calendar NAME, and what was overridden of it.\n\n{REFUSED}")
@click.argument("name")
@command_options
def remove(*, name: str, **options: Any) -> int:
    """See `help` above."""
    rows = [(f"remove {name}", {"args": {"calendar": name}})]
    return carry_out("remove_calendar", rows, is_one=True, **options)


def _imported(result: dict[str, Any]) -> str:
    """What is so now."""
    known = f"{result['sessions']:,} sessions from {result['first']} to {result['last']}"
    return f"{result['calendar']} is {'new' if result['is_new'] else 'replaced'}: {known}; {_of_schedules(result)}"


def outcome(result: dict[str, Any]) -> str:
    """What is so now of a day that was overridden or restored: the `result` of its command."""
    kind = result.get("kind")
    what = "as its file says" if kind is None else f"{kind}, {result['hours']}" if result["hours"] else kind
    return f"{what}; {_of_schedules(result)}"


def _of_schedules(result: dict[str, Any]) -> str:
    """`moved` counts next fires alone: a later one may be gone while each next one stays."""
    moved = result["moved"]
    whose = f"the next fire of {moved} schedule{'s' * (moved != 1)}" if moved else "no schedule's next fire"
    return f"{whose} is planned anew; later ones go by the calendar as it is now"
