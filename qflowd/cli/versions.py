"""`qflowd versions`: which versions of a workflow there are, what differs between two, and which of them runs."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, carry_out, command_options
from qflowd.cli.printing import bold, compact, cut, echo, print_json, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import hint_at_owner
from qflowd.define import documents, workflow_file
from qflowd.define.differences import Difference
from qflowd.model.errors import InvalidWorkflow, NotFound

COLUMNS: Final = (
    "version> | state | SHARE>:share | CREATED (UTC):created_at | ACTIVE SINCE (UTC):activated_at | BY:activated_by | REPLACED>:replaced"
    " | HASH:hash_start | FILE:file | note"
)
LONGEST_VALUE: Final = 200
MARKS: Final = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "renamed": ("~", "yellow"),
    "changed": ("~", "yellow"),
}
LIST: Final = "list"


class VersionsGroup(click.Group):
    """A group whose first word may also be a workflow: then that one is listed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [word for word in args if not word.startswith("-")]
        if len(words) == 1 and words[0] not in self.commands:  # of several, the first is a command that is mistyped
            args = [LIST, *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=VersionsGroup, help=f"{COMMANDS['versions']}\n\n`qflowd versions WORKFLOW` is short for `list WORKFLOW`."
)
def versions() -> None:
    """See `help` above."""


@versions.command(LIST)
@click.argument("workflow")
@json_option
def list_versions(*, workflow: str, as_json: bool) -> None:
    """List the versions of WORKFLOW, newest first."""
    with open_client() as client:
        try:
            rows = client.workflow(workflow).versions()
        except NotFound as error:
            raise NotFound(f"{error}{hint_at_owner(client, workflow)}") from None
    if not as_json:
        rows = [row | {"hash_start": row["hash"][:12]} for row in rows]
    print_list(rows, COLUMNS, as_json=as_json)


@versions.command()
@click.argument("workflow")
@click.argument("before", type=int)
@click.argument("after", type=int)
@json_option
def diff(*, workflow: str, before: int, after: int, as_json: bool) -> None:
    """Show what changed in WORKFLOW from version BEFORE to version AFTER, task by task.

    Values are shown as a file would hold them; comments, spelling and the order of keys do not count.
    """
    with open_client() as client:
        found = client.workflow(workflow).diff(before, after)
    if as_json:
        print_json({"workflow": workflow, "before": before, "after": after, "differences": found})
        return
    echo(f"{bold(workflow)}  version {before} → {after}")
    if not found:
        click.echo("  nothing that runs has changed")
    shown: str | None = ""
    for difference in found:
        if difference.task != shown and difference.key:
            echo(f"\n  {bold(difference.task or 'workflow')}")
        elif difference.task != shown:
            click.echo()
        shown = difference.task
        echo(_line(difference))


def _line(difference: Difference) -> str:
    mark, colour = MARKS[difference.change]
    before, after = (cut(_shown(value), LONGEST_VALUE) for value in (difference.before, difference.after))
    if difference.change == "renamed":
        return f"  {click.style(mark, fg=colour)} {bold(str(difference.task))}  was {difference.before}"
    if not difference.key:
        whole = (before if difference.change == "removed" else after).removeprefix("{").removesuffix("}")
        return f"  {click.style(mark, fg=colour)} {bold(str(difference.task))}  {whole}"
    value = {"added": after, "removed": before}.get(difference.change, f"{before} → {after}")
    return f"    {click.style(mark, fg=colour)} {difference.key}: {value}"


def _shown(value: Any) -> str:
    """In one line, as in a workflow file: a string has quotes only where it would be read as another value without."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and value.strip() == value != "":
        with contextlib.suppress(ValueError):
            json.loads(value)
            return compact(value)
        return value
    return compact(value)


def _share(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """A share as people write it: 10% or 0.1."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"{text!r} must be a share such as 10% or 0.1") from None
    if not 0 < share < 1:
        raise click.BadParameter(
            f"{text} must be above 0% and below 100%; `qflowd versions activate` gives a version all new instances, --end none"
        )
    return share


@versions.command()
@click.argument("workflow")
@click.argument("version", type=int)
@command_options
def activate(*, workflow: str, version: int, **options: Unpack[CommandOptions]) -> int:
    """Let new instances of WORKFLOW run VERSION, until its file changes."""
    return _send("activate", workflow, {"version": version}, **options)


@versions.command()
@click.argument("workflow")
@command_options
def rollback(*, workflow: str, **options: Unpack[CommandOptions]) -> int:
    """Activate the version of WORKFLOW that the active one has replaced."""
    return _send("rollback", workflow, None, **options)


@versions.command()
@click.argument("file", type=click.Path(path_type=Path))
@command_options
def draft(*, file: Path, **options: Unpack[CommandOptions]) -> int:
    """Store a workflow FILE as the next version of its workflow, without activating it."""
    document = documents.read_file(file, InvalidWorkflow)
    workflow = workflow_file.parse_document(document).key
    args = {"source": file.read_text("utf-8-sig"), "format": documents.format_of(file), "file": str(file)}
    return _send("draft", workflow, args, **options)


@versions.command()
@click.argument("workflow")
@click.argument("version", type=int, required=False)
@click.option("--share", metavar="SHARE", callback=_share, help="Of new instances: 10%, or 0.1.")
@click.option("--end", is_flag=True, help="Let all new instances run the active version.")
@command_options
def canary(
    *,
    workflow: str,
    version: int | None,
    share: float | None,
    end: bool,
    **options: Unpack[CommandOptions],
) -> int:
    """Let a share of new instances of WORKFLOW run VERSION; --end ends that, and so does activating any version."""
    if end in (version is not None, share is not None):
        raise click.UsageError("Name a VERSION and its --share, or --end alone.")
    args = None if end else {"version": version, "share": share}
    return _send("end_canary" if end else "canary", workflow, args, **options)


OUTCOMES: Final[Mapping[str, str]] = {
    "draft": "version {version} is a draft; `qflowd versions activate {workflow} {version}` lets it run",
    "canary": "version {version} runs {share:.2%} of new instances",
    "end_canary": "all new instances run version {version}",
}


def _send(action: str, workflow: str, args: dict[str, Any] | None, **options: Unpack[CommandOptions]) -> int:
    """Send a command; its exit code."""
    outcome = OUTCOMES.get(action, "version {version} is active, it replaces {replaced}")
    rows = [(f"{action} {workflow}", {"workflow": workflow, "args": args})]
    return carry_out(action, rows, lambda result: outcome.format(**result), is_one=True, **options)
