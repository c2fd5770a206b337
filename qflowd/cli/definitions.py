"""`qflowd definitions`: task types and task definitions, which nodes of workflows are made of."""

from pathlib import Path
from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import REFUSED, CommandOptions, carry_out, command_of, command_options
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.define import documents
from qflowd.define.task_definitions import read_definition
from qflowd.model.errors import InvalidWorkflow

COLUMNS: Final = "name | kind | job | type | CHANGED (UTC):updated_at | BY:updated_by | note | FILE OR ERROR:error?file"
NAMES: Final = click.argument("targets", metavar="NAME...", nargs=-1, required=True)
DEFINE: Final = "Store the task type or definition in each FILE, in this order; workflows made of it get a new version."


@click.group(invoke_without_command=True, help=COMMANDS["definitions"])
@click.option("--all", "with_archived", is_flag=True, help="Archived ones as well.")
@json_option
@click.pass_context
def definitions(context: click.Context, *, with_archived: bool, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is None:
        with open_client() as client:
            rows = client.task_definitions(with_archived=with_archived)
        columns = COLUMNS.replace(" |", " | ARCHIVED (UTC):archived_at |", 1) if with_archived else COLUMNS
        print_list(rows, columns, "no task types and no task definitions", as_json=as_json)


@definitions.command(help=f"{DEFINE}\n\n{REFUSED}")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@command_options
def define(*, files: tuple[Path, ...], **options: Unpack[CommandOptions]) -> int:
    """See `help` above."""
    rows = []
    for file in files:
        documents.read_file(file, InvalidWorkflow)  # for what cannot be read at all
        source, format = file.read_text("utf-8-sig"), documents.format_of(file, InvalidWorkflow)
        name = read_definition(source, format, str(file)).name
        rows.append((f"define {name}", {"args": {"source": source, "format": format, "file": str(file)}}))
    return carry_out("define_task", rows, _outcome, **options)


def _outcome(result: dict[str, Any]) -> str:
    made = [f"{workflow} version {version}" for workflow, version in result["workflows"].items()]
    return "done" + (f"; new versions: {', '.join(made)}" if made else "")


def _archived(result: dict[str, Any]) -> str:
    workflows = ", ".join(result["workflows"])
    users = f"; made of it: {workflows} (stored versions run on, new ones are refused)" if workflows else ""
    return f"done{users}; `qflowd definitions unarchive {result['task']}` brings it back"


ARCHIVE: Final = "Let no new version of a workflow be made of NAME."
UNARCHIVE: Final = "Undo the archiving of NAME."
definitions.add_command(command_of("archive_task", "task", ARCHIVE, NAMES, _archived, name="archive"))
definitions.add_command(command_of("unarchive_task", "task", UNARCHIVE, NAMES, name="unarchive"))
