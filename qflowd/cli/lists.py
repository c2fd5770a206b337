"""`qflowd ps`, and `workflows`, `jobs`, `plugins`, `daemons`, `pools`: one table of what each list shows."""

import itertools
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import command_of
from qflowd.cli.printing import coloured, first_line, in_zone, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import hint_at_workflow
from qflowd.client import Client, InstanceInfo
from qflowd.model.errors import NotFound

# What a command lists: columns, and what it says without rows. The rows come from the client's method of that name.
LISTINGS: Final = {
    "workflows": (
        "workflow | version> | :enabled | title | FROM:source | CHANGED (UTC):updated_at | FILE OR NOTE:error?wait_reason?warning?file",
        "no workflows; a daemon stores what it finds in workflows/",
    ),
    "jobs": (
        "job | state | PARAMS:params_schema | daemons | ABOUT:error?doc",
        "no jobs; a daemon stores what it finds in plugins/",
    ),
    "plugins": (
        "file | daemon | CHANGED (UTC):updated_at | JOBS OR ERROR:error?jobs",
        "no daemon is running, so no plugins are loaded",
    ),
    "daemons": (
        "id> | name | host | pid> | version | state | pools | MEMORY>:memory_mb | STARTED (UTC):started_at | SEEN (UTC):seen_at",
        "no daemon is running; `qflowd run` starts one",
    ),
    "pools": (
        "pool | daemon | processes> | threads> | busy> | WAITING>:ready_tasks",
        "no pools: no daemon is running",
    ),
}
INSTANCES: Final = (
    "id> | name | state | DONE>:progress | DATE:business_date | CREATED (UTC):created_at | TOOK>:duration_s | note"
)


def _show(name: str, *, as_json: bool, **asked: bool) -> None:
    columns, empty = LISTINGS[name]
    if asked.get("with_archived"):
        columns = columns.replace(" |", " | ARCHIVED (UTC):archived_at |", 1)
    with open_client() as client:
        rows = getattr(client, name)(**asked)
    print_list(rows, columns, empty, as_json=as_json)


def _command(name: str) -> click.Command:
    return click.command(name, help=COMMANDS[name])(json_option(partial(_show, name)))


jobs, plugins, daemons, pools = map(_command, ("jobs", "plugins", "daemons", "pools"))


@click.command()
@click.option("--all", "everything", is_flag=True, help="All instances, not only the latest.")
@click.option("--workflow", help="Only of this workflow or single job.")
@click.option("--state", type=str.upper, metavar="STATE", help="Only in this state; OPEN: all that have not ended.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def ps(*, everything: bool, workflow: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List instances: open ones first, then those that have ended, newest first."""
    with open_client() as client:
        rows = _instances(client, workflow, state, None if everything else limit)
        if not rows and (hint := hint_at_workflow(client, workflow)):
            raise NotFound(f"there is no workflow or job {workflow!r}{hint}")
        waiting = client.count_new()
        empty = "no instances" + (" like this" if workflow or state else " yet")
        print_list(rows if as_json else list(map(_with_note, rows)), INSTANCES, empty, as_json=as_json)
        if waiting and not as_json:
            whom = "a daemon" if client.daemons() else "a daemon, and none is running: `qflowd run`"
            click.echo(f"{waiting} submission{'s' * (waiting > 1)} waiting for {whom}", err=True)


def _with_note(info: InstanceInfo) -> dict[str, Any]:
    """Whether it was undone, or is `tolerated`; then what went wrong, or what it waits for."""
    saga = info.saga_state if info.saga_state != "NONE" else None
    reason = info.reason if info.state == "SUCCESS" else None  # of others the error says it
    what = coloured("FAILED", first_line(info.error)) if info.error else in_zone(info.wait_reason)
    return asdict(info) | {"note": ": ".join(filter(None, (saga, reason, what)))}


def _instances(client: Client, workflow: str | None, state: str | None, limit: int | None) -> list[InstanceInfo]:
    if state is not None:
        return list(client.instances(workflow=workflow, state=state, limit=limit))
    opened = list(client.instances(workflow=workflow, state="OPEN", limit=limit))
    seen = {info.id for info in opened}
    rest = (info for info in client.instances(workflow=workflow, limit=limit) if info.id not in seen)
    return list(itertools.islice(itertools.chain(opened, rest), limit))


WITH_ARCHIVED: Final = click.option("--all", "with_archived", is_flag=True, help="Archived workflows as well.")


@click.group(invoke_without_command=True)
@WITH_ARCHIVED
@json_option
@click.pass_context
def workflows(context: click.Context, *, with_archived: bool, as_json: bool) -> None:
    """List workflows, and files that could not be read; or archive workflows that nobody runs any more."""
    if context.invoked_subcommand is None:
        _show("workflows", as_json=as_json, with_archived=with_archived)


def _archived(result: dict[str, Any]) -> str:
    count, workflows = result["open_instances"], ", ".join(result["workflows"])
    running = f"; {count} open instance{'s' * (count > 1)} will run to the end" if count else ""
    users = f"; started by tasks of {workflows}, which will fail" if workflows else ""
    return f"done{running}{users}; `qflowd workflows unarchive {result['workflow']}` brings it back"


WORKFLOWS: Final = click.argument("targets", metavar="WORKFLOW...", nargs=-1, required=True)
ARCHIVE: Final = (
    "Reject submissions of WORKFLOW, stop its schedule, and leave it out of lists; open instances run to their end."
)
workflows.add_command(command_of("archive", "workflow", ARCHIVE, WORKFLOWS, _archived))
workflows.add_command(command_of("unarchive", "workflow", "Undo the archiving of WORKFLOW.", WORKFLOWS))
