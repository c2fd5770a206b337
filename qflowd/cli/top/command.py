"""`qflowd top`: what fails, runs and comes next, as the dashboard's first page has it, in a terminal."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import click
import msgspec

from qflowd.cli.commands import COMMANDS
from qflowd.cli.printing import coloured, is_terminal, print_json
from qflowd.cli.session import configuration, json_option, open_client
from qflowd.config.records import Config
from qflowd.store.tx import Store

if TYPE_CHECKING:  # a screen is drawn only where there is a terminal, and the API's code takes a moment to import
    from qflowd.api.today.overview import Overview
    from qflowd.cli.top.frame import Line
    from qflowd.client import Client
    from qflowd.client.http.transport import HttpTransport

EVERY_S: Final = click.FloatRange(0.2, 3600)
SCREENLESS: Final = ("", "dumb", "unknown")


@click.command(help=COMMANDS["top"])
@click.option("--every", type=EVERY_S, default=1.0, metavar="SECONDS", help="How often to look; default 1.")
@click.option("--once", is_flag=True, help="Print it once and end; so does output that is not a terminal.")
@json_option
def top(*, every: float, once: bool, as_json: bool) -> None:
    """See `help` above."""
    from qflowd.cli.top.frame import Look, frame

    with ExitStack() as stack:
        client = stack.enter_context(open_client())
        read, place = _reader(client)
        overview = read()  # a database that is away, or of another version, ends it here
        look = Look(f"qflowd top · {client.tenant}", place)
        if as_json:
            print_json(overview)
        elif once or not _has_screen():
            columns = shutil.get_terminal_size().columns if is_terminal() else None
            _print(frame(overview, look, columns, None))
        else:
            from qflowd.cli.top.screen import show
            from qflowd.cli.top.watch import OverviewWatch

            show(OverviewWatch(read, overview, every, stack.pop_all().close), look)


def _has_screen() -> bool:
    return is_terminal() and sys.stdin.isatty() and os.environ.get("TERM", "") not in SCREENLESS


def _reader(client: "Client") -> "tuple[Callable[[], Overview], str]":
    """What reads the overview, and from where: the API that `--url` names, or the database, which needs no server."""
    from qflowd.client.http.transport import HttpTransport

    transport = client.transport
    if isinstance(transport, HttpTransport):
        return partial(_of_api, transport), str(click.get_current_context().find_root().params["url"])
    config = configuration()
    return partial(_of_database, client.store, config, client.tenant), config.database.shown


def _of_api(transport: "HttpTransport") -> "Overview":
    from qflowd.api.today.overview import Overview

    return msgspec.json.decode(transport.ask("overview"), type=Overview)


def _of_database(store: Store, config: Config, tenant: str) -> "Overview":
    """By the statements of the dashboard's first page."""
    from qflowd.api.call import Call, HttpRequest
    from qflowd.api.today.overview import overview_of
    from qflowd.engine.access.callers import Caller
    from qflowd.model.roles import Role

    request = HttpRequest("GET", "/api/v1/overview", [], {}, b"", "", "")
    # Whoever reads the database sees names of hosts and files there.
    caller = Caller("", tenant, Role.SYSTEM)
    return overview_of(Call(request, store, config.api, caller=caller))


def _print(lines: "list[Line]") -> None:
    for line in lines:
        shown = "".join(
            click.style(span.text, bold=True) if span.word == "bold" else coloured(span.word, span.text)
            for span in line
        )
        click.echo(shown.rstrip(), color=None if is_terminal() else False)
