"""Errors as one clear line on stderr, and the exit codes that scripts rely on."""

import errno
import os
import sys
from typing import Final

import click

from qflowd.model import errors

OK: Final = 0
ERROR: Final = 1
USAGE: Final = 2
REJECTED: Final = 3  # of `submit --wait`
TERMINATED: Final = 4
NO_DATABASE: Final = 5

ERASE: Final = "\x1b[K"  # erases the line; click leaves it out where there is no terminal


def report(error: Exception) -> int | None:
    """Say what went wrong; returns the exit code, None for an error that is a fault of qflowd itself."""
    match error:
        case click.NoSuchOption():
            (_misplaced(error) or error).show()
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case (
            errors.StoreUnavailable()
            | errors.StoreUnsupported()
            | errors.GrantsMissing()
            | errors.SchemaOutdated()
            | errors.SchemaTooNew()
        ):
            say(" ".join(str(error).split()))  # drivers report in several lines
            return NO_DATABASE
        case errors.InvalidConfig() | errors.InvalidRequest() | errors.InvalidParams() | errors.InvalidExpression():
            say(str(error))
            return USAGE
        case errors.AccessDenied():
            say(str(error))
            return USAGE
        case errors.QflowdError() | TimeoutError() | OSError(errno=errno.ENOSPC):
            _drop_unwritable()
            say(f"rejected: {error}" if isinstance(error, errors.Rejected) else str(error))
            return ERROR
        case _ if type(error).__module__.partition(".")[0] in ("psycopg", "pymysql", "apsw"):
            # What the store did not translate.
            say(f"the database refuses: {str(error).strip()}; `qflowd doctor` looks into it")
            return NO_DATABASE
    return None


def _drop_unwritable() -> None:
    """What stdout still holds and cannot take: Python would try again at its exit, and change the exit code to 120."""
    try:
        if sys.stdout is not None:  # closed
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """A line for people, in the place of one that moves; stdout is left to results."""
    from qflowd.cli.printing import printable

    click.echo(ERASE + click.style("qflowd: ", fg="red") + printable(message), err=True)


def _misplaced(error: click.NoSuchOption) -> click.UsageError | None:
    """What to say of an option of `qflowd` itself that was written behind the command; None for any other."""
    if error.ctx is None or error.ctx.parent is None:
        return None
    root = error.ctx.find_root()
    own = next((each for each in root.command.params if error.option_name in each.opts), None)
    if not isinstance(own, click.Option):
        return None
    written = error.option_name if own.is_flag else f"{error.option_name} {(own.metavar or own.name or '').upper()}"
    program, _, command = error.ctx.command_path.partition(" ")
    return click.UsageError(
        f"{error.option_name} stands before the command: {program} {written} {command} …", ctx=error.ctx
    )
