"""`qflowd pause`, `resume`, `start`, `terminate`, `retry`, `rerun`, `skip`, `compensate`, `handle`: commands for instances.

They are named by their ids, by their workflow, or chosen by a filter. `qflowd stop WORKFLOW` is here too.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Unpack

import click

from qflowd.cli import exits
from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import (
    REFUSED,
    CommandOptions,
    command_options,
    filter_of,
    filter_options,
    in_options,
    in_words,
    outcome_of,
    send,
)
from qflowd.cli.printing import echo, is_terminal, print_json, print_list
from qflowd.cli.session import open_client, set_option
from qflowd.cli.unknown_names import PATTERN

# Are not done to a workflow itself: --workflow selects its instances.
NO_WORKFLOW: Final = ("start", "terminate", "rerun", "skip", "compensate", "handle")
NEED_TASK: Final = ("rerun", "skip")
OF_TASKS: Final = ("pause", "resume", "terminate", "retry", "handle", *NEED_TASK)
OF_FAILURES: Final = frozenset({"task", "error_class"})  # conditions
WHOLE: Final = ("pause", "resume")  # a workflow is more than its instances
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Only say what would be done, and what refused.")


def _instances_command(action: str) -> click.Command:
    @click.command(action, help="\n\n".join([COMMANDS[action], *_about_workflow(action), REFUSED]))
    @click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
    @filter_options
    @DRY_RUN
    @command_options
    @_task_options(action)
    def command(
        *,
        ids: tuple[int, ...],
        workflow: str | None,
        conditions: tuple[str, ...],
        since: str | None,
        dry_run: bool,
        task: str | None = None,
        pairs: dict[str, Any] | None = None,
        **options: Unpack[CommandOptions],
    ) -> int:
        targets: list[dict[str, Any]] = [{"instance_id": number} for number in ids]
        names = [str(number) for number in ids]
        if many := _many(action, workflow, conditions, since):
            targets.append(many)
            names.append(many.get("workflow", ""))
        if ids and many:
            raise click.UsageError("name instances by ID, or choose them by options; not both")
        if not targets:
            raise click.UsageError(
                f"name instances by ID, or choose them by --workflow, --where or --since: {_example(action)}"
            )
        if task is None and action in NEED_TASK and not OF_FAILURES & (many or {}).get("filter", {}).keys():
            why = "" if ids else ", or choose failures by --where task=NAME or error_class=NAME"
            raise click.UsageError(f"name the task by --task{why}")
        more: dict[str, Any] = {} if task is None else {"task": task}
        if args := ({"set": pairs} if pairs else {}) | ({"dry_run": True} if dry_run else {}):
            more["args"] = args
        targets = [target | more for target in targets]
        return _ask(action, names, targets, **options)

    return command


def _ask(
    action: str,
    names: Sequence[str],
    targets: Sequence[dict[str, Any]],
    **options: Unpack[CommandOptions],
) -> int:
    """Send a command for each target, whose name is shown with what came of it."""
    with open_client() as client:
        answers = send(
            client, action, targets, options["reason"], no_wait=options["no_wait"], on_progress=_show_progress
        )
    if options["as_json"]:
        print_json(answers)
    for name, answer in zip(names, answers, strict=True):
        _show(f"{action} {name}".rstrip(), answer, as_json=options["as_json"])
    return exits.ERROR if any(map(_is_bad, answers)) else exits.OK


def _about_workflow(action: str) -> list[str]:
    """What its help says of `--workflow`, where that is more than a filter."""
    if action not in WHOLE:
        return []
    whole = "--workflow NAME alone is the workflow itself: its schedule, its instances, and those submitted later"
    return [f"{whole}. A pattern, or more conditions, choose instances that are there now."]


def _example(action: str) -> str:
    task = " --task bars" if action in NEED_TASK else ""
    return f"`qflowd {action} 42{task}`, `qflowd {action}{task} --workflow 'daily_*' --since 2d`"


def _task_options(action: str) -> Callable[[Any], Any]:
    """The decorator that adds `--task` where it is for tasks, and `--set` where it changes their params."""
    if action not in OF_TASKS:
        return lambda command: command
    items = ", with all its items." if action in WHOLE else ", or this item of a map: bars[AAPL]."
    task = click.option("--task", help=f"Only this task{items}")
    return task if action != "rerun" else lambda command: set_option(task(command))


def _many(action: str, workflow: str | None, conditions: tuple[str, ...], since: str | None) -> dict[str, Any] | None:
    """The columns of a command for many instances; None if none are chosen."""
    is_one = workflow is not None and not PATTERN & set(workflow) and action not in NO_WORKFLOW
    if is_one and not conditions and since is None:
        return {"workflow": workflow}
    chosen = filter_of(workflow, conditions, since)
    return {"filter": chosen} if chosen else None


def _show_progress(result: dict[str, Any]) -> None:
    if is_terminal(sys.stderr):
        of = f" of {result['total']}" if "total" in result else ""
        click.echo(f"\r{result['matched']}{of} instances so far", err=True, nl=False)


def _show(what: str, answer: dict[str, Any], *, as_json: bool) -> None:
    if error := answer.get("error"):
        exits.say(f"{what}: {in_options(error)}")
        return
    result = _result(answer)
    for number, why in result.get("refusals", {}).items():
        exits.say(f"{number}: {why}")
    if as_json:
        return
    if answer["state"] == "NEW":
        click.echo(f"{what}: asked")
    elif "matched" not in result:
        echo(f"{what}: {outcome_of(result)}")
    else:
        if "instances" in result:
            rows = [row | {"result": in_words(row["result"])} for row in result["instances"]]
            print_list(rows, "id> | workflow | state | result")
        echo(f"{what}: {_counts(result)}{_extent(answer)}")


def _extent(answer: dict[str, Any]) -> str:
    """That only instances of a workflow were paused or resumed, not that itself."""
    is_of_workflow = "workflow" in answer.get("filter", {})
    if answer["action"] not in WHOLE or "task" in answer or not is_of_workflow:
        return ""
    one = f"`qflowd {answer['action']} --workflow NAME`"
    return f"; schedules and what is submitted later are as before: {one} is for a workflow itself"


def _counts(result: dict[str, Any]) -> str:
    """What came of a command for many instances, and of one for a workflow, what came of the workflow itself."""
    would = "would apply to " if "instances" in result else ""
    done = f"open instances: {result['done']}" if "effect" in result else would + _count(result["done"])
    counts = ", ".join([done, *(f"{result[name]} {name}" for name in ("unchanged", "refused") if result.get(name))])
    of_workflow = result.get("already") or result.get("effect")
    return f"{of_workflow}; {counts}" if of_workflow else counts


def _count(number: int) -> str:
    return f"{number} instance{'s' * (number != 1)}"


def _is_bad(answer: dict[str, Any]) -> bool:
    return bool(answer.get("error") or _result(answer).get("refused"))


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    result = answer.get("result")
    return result if isinstance(result, dict) else {}


terminate, retry, rerun, skip, compensate, pause, resume, start, handle = map(
    _instances_command,
    ("terminate", "retry", "rerun", "skip", "compensate", "pause", "resume", "start", "handle"),
)


@click.command(help=f"{COMMANDS['stop']}\n\n{REFUSED}")
@click.argument("workflows", metavar="WORKFLOW...", nargs=-1, required=True)
@DRY_RUN
@command_options
def stop(*, workflows: tuple[str, ...], dry_run: bool, **options: Unpack[CommandOptions]) -> int:
    """See `help` above."""
    more: dict[str, Any] = {"args": {"dry_run": True}} if dry_run else {}
    targets = [{"workflow": workflow} | more for workflow in workflows]
    return _ask("stop", workflows, targets, **options)
