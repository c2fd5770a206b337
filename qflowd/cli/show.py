"""`qflowd show ID`: one instance, its tasks, what they wait for or returned, and what went wrong."""

import sys
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click

from qflowd.cli.printing import (
    bold,
    coloured,
    compact,
    cut,
    duration,
    echo,
    first_line,
    in_zone,
    instant,
    print_json,
    print_list,
)
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import find_instance
from qflowd.client import AttemptInfo, Breakpoint, InstanceInfo, TaskInfo
from qflowd.model.states import ENDED, TaskState

MOST: Final = 60  # tasks, and errors of attempts, shown without --all
COLUMNS: Final = "TASK:name | state | try> | STARTED (UTC):started_at | TOOK>:duration_s | job | note"
WIDEST_PARAMS, WIDEST_FACT, WIDEST_OUTPUT = 400, 400, 60  # columns of the terminal


@click.command()
@click.argument("id", type=int)
@click.option("--all", "everything", is_flag=True, help="All tasks, even if there are many.")
@click.option("--tracebacks", is_flag=True, help="Show the tracebacks of failed attempts too.")
@json_option
def show(*, id: int, everything: bool, tracebacks: bool, as_json: bool) -> None:
    """Show instance ID: its tasks, what they wait for or returned, and the errors of their attempts."""
    with open_client() as client:
        instance = find_instance(client, id)
        state, error = instance.state_and_error()
        if state in ("NEW", "REJECTED"):
            if as_json:
                submission = {"id": id, "state": state, "error": error}
                print_json({"submission": submission, "tasks": [], "attempts": []})
            else:
                echo(f"Submission {id}: {coloured(state)}: {error or 'no daemon has taken it yet'}")
            return
        info, place = instance.info(), instance.breakpoint()
        is_whole = everything or as_json or place.total <= MOST
        tasks = instance.tasks(limit=None if is_whole else MOST)
        states = Counter(task.state for task in tasks) if is_whole else instance.count_tasks()
        attempts = instance.attempts() if is_whole else instance.failed_attempts(limit=MOST + 1)
        undoing = instance.compensations() if info.saga_state != "NONE" else []
    if as_json:
        about = {"instance": info, "breakpoint": place, "tasks": tasks}
        print_json(about | {"compensations": undoing, "attempts": attempts})
        return
    _show_instance(info, place)
    most = sys.maxsize if everything else MOST
    if tasks:
        _show_tasks("tasks", tasks, states, most)
    if undoing:
        _show_tasks("compensations", undoing, Counter(task.state for task in undoing), most)
    if failed := [attempt for attempt in attempts if attempt.error]:
        _show_failures(failed, {task.id for task in undoing}, most, tracebacks=tracebacks)


def _show_instance(info: InstanceInfo, place: Breakpoint) -> None:
    what = f"{info.workflow} v{info.version}" if info.workflow else f"job {info.name}"
    reason = f" ({info.reason})" if info.reason else ""
    echo(f"{bold(f'Instance {info.id}')}  {what}  {coloured(info.state)}{reason}  {info.progress:.0%}")
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
        "waits": in_zone(info.wait_reason),
        **_breakpoint_facts(place),
        "error": info.error,
    }
    for name, value in facts.items():
        if value:
            echo(f"  {name:<14}{value}")


def _breakpoint_facts(place: Breakpoint) -> dict[str, str]:
    """Of an instance that has not ended: what would start next, and what its tasks have saved."""
    if place.state in ENDED:
        return {}
    starts = [
        task.name + (f" ({task.would_start} of {task.total})" if task.total > 1 else "")
        for task in place.tasks
        if task.would_start
    ]
    saved = [
        f"{task.name} {compact(task.checkpoint)}" + (f" (and {more} more)" if (more := task.checkpoints - 1) else "")
        for task in place.tasks
        if task.checkpoints
    ]
    label = "resume starts" if place.state == "PAUSED" else "starts next"
    return {label: cut(", ".join(starts), WIDEST_FACT), "saved": cut(", ".join(saved), WIDEST_FACT)}


def _show_tasks(what: str, tasks: list[TaskInfo], states: Mapping[str, int], most: int) -> None:
    """`states`: how many tasks are in each, those included that are not listed."""
    total = sum(states.values())
    counts = sorted(states.items(), key=lambda item: -item[1])
    summary = ", ".join(f"{count} {coloured(state)}" for state, count in counts)
    echo(f"\n{bold(f'{total} {what}')}: {summary}\n" if total > 1 or what != "tasks" else "")
    # Of many, those that need looking at: failed ones, then those that have not ended.
    first = sorted(tasks, key=lambda task: (task.state != "FAILED", TaskState[task.state].is_final))[:most]
    print_list([_row(task) for task in sorted(first, key=lambda task: task.id)], COLUMNS)
    if total > len(first):
        echo(f"… and {total - len(first)} more; --all shows them")


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
    return ": ".join(filter(None, (reason, in_zone(task.wait_reason) or first_line(task.error))))


def _show_failures(failed: list[AttemptInfo], undoing: Container[int], most: int, *, tracebacks: bool) -> None:
    """`undoing`: ids of compensations."""
    echo(f"\n{bold('Attempts that did not succeed')}")
    for attempt in failed[:most]:
        measures = (
            instant(attempt.finished_at),  # after a retry by hand they are numbered from 1 again
            duration(attempt.duration_s),
            f"{attempt.peak_memory_mb:.0f} MB" if attempt.peak_memory_mb else "",
            f"signal {attempt.exit_signal}" if attempt.exit_signal else "",
            f"on {attempt.daemon}" if attempt.daemon else "",
        )
        about = f" ({', '.join(filter(None, measures))})" if any(measures) else ""
        name = f"{'undoing ' if attempt.task_id in undoing else ''}{attempt.name} #{attempt.attempt}"
        echo(f"  {name} {coloured('FAILED', attempt.reason)}{about}: {attempt.error}")
        if tracebacks and attempt.traceback:
            echo("    " + attempt.traceback.rstrip().replace("\n", "\n    "))
    if len(failed) > most:
        echo("  … and more; --all shows them")
    if not tracebacks and any(attempt.traceback for attempt in failed):
        echo("  --tracebacks shows where")
