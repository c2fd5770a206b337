"""`qflowd show ID`: one instance, its tasks, what they wait for or returned, and what went wrong."""

from collections import Counter
from collections.abc import Container
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click

from qflowd.cli.printing import bold, coloured, compact, cut, duration, first_line, instant, print_json, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client import AttemptInfo, InstanceInfo, TaskInfo
from qflowd.model.states import TaskState

MOST: Final = 60  # tasks shown without --all
COLUMNS: Final = "TASK:name | state | try> | STARTED (UTC):started_at | TOOK>:duration_s | job | note"
WIDEST_PARAMS, WIDEST_OUTPUT = 400, 60  # columns of the terminal


@click.command()
@click.argument("id", type=int)
@click.option("--all", "everything", is_flag=True, help="All tasks, even if there are many.")
@click.option("--tracebacks", is_flag=True, help="Show the tracebacks of failed attempts too.")
@json_option
def show(*, id: int, everything: bool, tracebacks: bool, as_json: bool) -> None:
    """Show instance ID: its tasks, what they wait for or returned, and the errors of their attempts."""
    with open_client() as client:
        instance = client.instance(id)
        state, error = instance.state_and_error()
        if state in ("NEW", "REJECTED"):
            if as_json:
                submission = {"id": id, "state": state, "error": error}
                print_json({"submission": submission, "tasks": [], "attempts": []})
            else:
                click.echo(f"Submission {id}: {coloured(state)}: {error or 'no daemon has taken it yet'}")
            return
        info, tasks, attempts = instance.info(), instance.tasks(), instance.attempts()
        undoing = instance.compensations() if info.saga_state != "NONE" else []
    if as_json:
        print_json({"instance": info, "tasks": tasks, "compensations": undoing, "attempts": attempts})
        return
    _show_instance(info)
    if tasks:
        _show_tasks("tasks", tasks, len(tasks) if everything else MOST)
    if undoing:
        _show_tasks("compensations", undoing, len(undoing) if everything else MOST)
    if failed := [attempt for attempt in attempts if attempt.error]:
        _show_failures(failed, {task.id for task in undoing}, tracebacks=tracebacks)


def _show_instance(info: InstanceInfo) -> None:
    what = f"{info.workflow} v{info.version}" if info.workflow else f"job {info.name}"
    reason = f" ({info.reason})" if info.reason else ""
    click.echo(f"{bold(f'Instance {info.id}')}  {what}  {coloured(info.state)}{reason}  {info.progress:.0%}")
    facts = {
        "name": info.name if info.name != info.workflow and info.workflow else None,
        "business date": info.business_date,
        "submitted by": info.trigger_type,
        "parent": info.parent_instance_id and f"instance {info.parent_instance_id}",
        "priority": info.priority,
        "created": instant(info.created_at),
        "started": instant(info.started_at),
        "finished": info.finished_at and f"{instant(info.finished_at)} ({duration(info.duration_s)})",
        "params": cut(compact(info.params), WIDEST_PARAMS),
        "saga": info.saga_state if info.saga_state != "NONE" else None,
        "waits": info.wait_reason,
        "error": info.error,
    }
    for name, value in facts.items():
        if value:
            click.echo(f"  {name:<14}{value}")


def _show_tasks(what: str, tasks: list[TaskInfo], most: int) -> None:
    counts = Counter(task.state for task in tasks).most_common()
    summary = ", ".join(f"{count} {coloured(state)}" for state, count in counts)
    click.echo(f"\n{bold(f'{len(tasks)} {what}')}: {summary}\n" if len(tasks) > 1 or what != "tasks" else "")
    # Of many, those that need looking at: failed ones, then those that have not ended.
    first = sorted(tasks, key=lambda task: (task.state != "FAILED", TaskState[task.state].is_final))[:most]
    print_list([_row(task) for task in sorted(first, key=lambda task: task.id)], COLUMNS)
    if len(tasks) > most:
        click.echo(f"… and {len(tasks) - most} more; --all shows them")


def _row(task: TaskInfo) -> dict[str, Any]:
    """A running task counts its try, and its time by the clock of this host."""
    took_s, is_running = task.duration_s, task.state == "RUNNING"
    if is_running and task.started_at is not None:
        took_s = (datetime.now(UTC) - task.started_at).total_seconds()
    about = {"name": task.name, "try": task.attempt + is_running or "", "duration_s": took_s, "note": _note(task)}
    return asdict(task) | about


def _note(task: TaskInfo) -> str:
    """What it waits for, reported (`25% (2/8) of the symbols`), returned, or failed with."""
    if task.state == "RUNNING":
        if task.progress_done is None:
            return ""
        share = f"{task.progress:.0%} " if task.progress is not None else ""
        total = f"/{task.progress_total:g}" if task.progress_total is not None else ""
        return f"{share}({task.progress_done:g}{total}) {task.progress_text or ''}".rstrip()
    if task.state == "SUCCESS":
        child = f"instance {task.child_instance_id}" if task.child_instance_id else None
        return ": ".join(filter(None, (child, cut(compact(task.output), WIDEST_OUTPUT))))
    if task.state == "SKIPPED" and not task.reason:
        return "a condition does not hold, or a task before it was skipped"
    reason = task.reason if task.reason not in ("error", "manual") else None  # the error says by whom
    return ": ".join(filter(None, (reason, task.wait_reason or first_line(task.error))))


def _show_failures(failed: list[AttemptInfo], undoing: Container[int], *, tracebacks: bool) -> None:
    """`undoing`: ids of compensations."""
    click.echo(f"\n{bold('Attempts that did not succeed')}")
    for attempt in failed:
        measures = (
            duration(attempt.duration_s),
            f"{attempt.peak_memory_mb:.0f} MB" if attempt.peak_memory_mb else "",
            f"signal {attempt.exit_signal}" if attempt.exit_signal else "",
            f"on {attempt.daemon}" if attempt.daemon else "",
        )
        about = ", ".join(filter(None, measures))
        name = f"{'undoing ' if attempt.task_id in undoing else ''}{attempt.name} #{attempt.attempt}"
        click.echo(f"  {name} {coloured('FAILED', attempt.reason)} ({about}): {attempt.error}")
        if tracebacks and attempt.traceback:
            click.echo("    " + attempt.traceback.rstrip().replace("\n", "\n    "))
    if not tracebacks and any(attempt.traceback for attempt in failed):
        click.echo("  --tracebacks shows where")
