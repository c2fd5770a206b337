"""`qflowd trigger`: one task runs now."""

from typing import Any, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, carry_out, command_options, outcome_of
from qflowd.cli.session import merged, params_options


@click.command(help=f"{COMMANDS['trigger']}\n\nWithout ID, a new instance runs the task, and skips all others.")
@click.argument("id", type=int, required=False)
@click.option("--task", required=True, help="Key of the task.")
@click.option("--workflow", help="Its workflow, instead of ID.")
@params_options
@command_options
def trigger(
    *,
    id: int | None,
    task: str,
    workflow: str | None,
    given: dict[str, Any] | None,
    pairs: dict[str, Any],
    **options: Unpack[CommandOptions],
) -> int:
    """See `help` above."""
    params = merged(given, pairs)
    if (id is None) == (workflow is None):
        raise click.UsageError("name either an instance by ID, or a workflow by --workflow")
    if id is not None and params is not None:
        raise click.UsageError("params are for --workflow; `qflowd rerun ID --set` changes those of a task")
    target: dict[str, Any] = {"instance_id": id} if workflow is None else {"workflow": workflow}
    row = target | {"task": task} | ({"args": {"params": params}} if params else {})
    rows = [(f"trigger {workflow if id is None else id}", row)]
    return carry_out("trigger", rows, _made if id is None else outcome_of, is_one=True, **options)


def _made(result: Any) -> str:
    return f"instance {result['instance_id']}" if isinstance(result, dict) else "done"
