"""The command line: `qflowd COMMAND`. A command's module is imported when it is called, so that help and errors are fast."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from qflowd import __version__
from qflowd.cli.commands import HELP, NEED_DATABASE, LazyGroup

if TYPE_CHECKING:
    from qflowd.calendars.calendar_book import Calendars

__all__ = ["app", "main"]

SETTINGS: Final[Mapping[str, Any]] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
    "color": False if "NO_COLOR" in os.environ else None,  # None: on a terminal
}


@click.group(cls=LazyGroup, help=HELP, context_settings=SETTINGS)
@click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="The configuration file; default $QFLOWD_CONFIG, else qflowd.toml (.yaml, .json) here.",
)
@click.option(
    "--url",
    metavar="URL",
    envvar="QFLOWD_URL",
    help="Work over an HTTP API, https://HOST, instead of the database; default $QFLOWD_URL. The token is in $QFLOWD_TOKEN.",
)
@click.option(
    "--token-file",
    type=click.Path(),
    metavar="FILE",
    envvar="QFLOWD_TOKEN_FILE",
    help="A file that holds the token for --url; default $QFLOWD_TOKEN_FILE.",
)
@click.option(
    "--tenant", envvar="QFLOWD_TENANT", help="Whose rows to show and command; default $QFLOWD_TENANT, else default."
)
@click.option(
    "--timezone",
    metavar="ZONE",
    envvar="QFLOWD_TIMEZONE",
    help="Of times in lists and logs, such as Asia/Shanghai; default $QFLOWD_TIMEZONE, else UTC.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def app(*, url: str | None, **_options: str | None) -> None:
    """Everything is done by the commands; `session` reads these options from the context."""
    from qflowd.define.known_calendars import TenantToo, knowing  # help needs none

    context = click.get_current_context()
    context.with_resource(knowing(TenantToo(_calendars_of_tenant)))
    name = context.invoked_subcommand
    if url and name in NEED_DATABASE:
        raise click.UsageError(
            f"`qflowd {name}` works on the database itself, not over HTTP: leave out --url (QFLOWD_URL), and name the database "
            "by QFLOWD_DATABASE_URL or a configuration file."
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors become a line on stderr."""
    try:
        code = app.main(args, prog_name="qflowd", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.Abort:
        return 130
    except Exception as error:
        from qflowd.cli.exits import report

        code = report(error)
        if code is None:
            raise
        return code


def _calendars_of_tenant() -> "Calendars":
    """Those that a document may name beside what ships. Without a database or API it is as if there were none."""
    from qflowd.calendars.calendar_book import BUNDLED
    from qflowd.cli.current_calendars import current_calendars
    from qflowd.model.errors import QflowdError

    try:
        return current_calendars()
    except QflowdError:
        return BUNDLED
