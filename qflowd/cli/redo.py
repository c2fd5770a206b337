"""`qflowd rerun`, `trigger` and `skip`: commands on one task."""

from typing import Any

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import carry_out, command_options
from qflowd.cli.session import merged, params_options, set_option


@click.command(help=f"{COMMANDS['rerun']}\n\nAn instance that has ended is open again. `retry` runs only what failed.")
@click.argument("id", type=int)
@click.option("--task", required=True, help="Key of the task to begin with.")
@set_option
@command_options
def rerun(*, id: int, task: str, pairs: dict[str, Any], **options: Any) -> int:
    """See `help` above."""
    target = {"instance_id": id, "task": task} | ({"args": {"set": pairs}} if pairs else {})
    return _send("rerun", target, **options)


@click.command(help=f"{COMMANDS['skip']}\n\nWhat comes after it runs, as if it had succeeded without output.")
@click.argument("id", type=int)
@click.option("--task", required=True, help="Key of a task that waits or did not succeed.")
@command_options
def skip(*, id: int, task: str, **options: Any) -> int:
    """See `help` above."""
    return _send("skip", {"instance_id": id, "task": task}, **options)


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
    **options: Any,
) -> int:
    """See `help` above."""
    params = merged(given, pairs)
    if (id is None) == (workflow is None):
        raise click.UsageError("name either an instance by ID, or a workflow by --workflow")
    if id is not None and params is not None:
        raise click.UsageError("params are for --workflow; `qflowd rerun ID --set` changes those of a task")
    target: dict[str, Any] = {"instance_id": id} if workflow is None else {"workflow": workflow}
    return _send("trigger", target | {"task": task} | ({"args": {"params": params}} if params else {}), **options)


def _send(action: str, target: dict[str, Any], **options: Any) -> int:
    """Send a command; its exit code."""
    name = target.get("instance_id") or target["workflow"]
    outcome = _done if "instance_id" in target else _made
    return carry_out(action, [(f"{action} {name}", target)], outcome, is_one=True, **options)


def _done(_result: Any) -> str:
    return "done"


def _made(result: Any) -> str:
    return f"instance {result['instance_id']}" if isinstance(result, dict) else "done"
