"""`qflowd show ID`: one instance, its tasks, what they wait for or returned, and what went wrong."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click

from qflowd.cli.printing import bold, coloured, compact, cut, duration, first_line, instant, print_json, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client import AttemptInfo, InstanceInfo, TaskInfo

MOST = 60  # tasks shown without --all
COLUMNS: Final = (
    "TASK:name | STATE:state | TRY>:try | STARTED (UTC):started_at | TOOK>:duration_s | JOB:job | NOTE:note"
)
OUTPUT = 60  # columns of what a task returned
ORDER = [
    "FAILED",
    "RUNNING",
    "RESERVED",
    "READY",
    "HELD",
    "PENDING",
    "UPSTREAM_FAILED",
    "CANCELLED",
    "SKIPPED",
    "SUCCESS",
]


@click.command()
@click.argument("id", type=int)
@click.option("--all", "everything", is_flag=True, help="All tasks, also where there are many.")
@click.option("--tracebacks", is_flag=True, help="With the tracebacks of failed attempts.")
@json_option
def command(*, id: int, everything: bool, tracebacks: bool, as_json: bool) -> None:
    """Show the instance ID: its tasks, what they wait for or returned, and the errors of attempts."""
    with open_client() as client:
        instance = client.instance(id)
        state, error = instance.state_and_error()
        if state in ("NEW", "REJECTED"):
            _show_submission(id, state, error, as_json=as_json)
            return
        info, tasks, attempts = instance.info(), instance.tasks(), instance.attempts()
    if as_json:
        print_json({"instance": info, "tasks": tasks, "attempts": attempts})
        return
    _show_instance(info)
    _show_tasks(tasks, everything=everything)
    _show_failures(attempts, tracebacks=tracebacks)


def _show_submission(number: int, state: str, error: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"submission": {"id": number, "state": state, "error": error}, "tasks": [], "attempts": []})
    else:
        note = error or ("no daemon has taken it yet" if state == "NEW" else "")
        click.echo(f"Submission {number}: {coloured(state)}{': ' if note else ''}{note}")


def _show_instance(info: InstanceInfo) -> None:
    what = f"{info.workflow} v{info.version}" if info.workflow else f"job {info.name}"
    reason = f" ({info.reason})" if info.reason else ""
    click.echo(f"{bold(f'Instance {info.id}')}  {what}  {coloured(info.state)}{reason}  {info.progress:.0%}")
    facts = [
        ("name", info.name if info.name not in (info.workflow, None) else ""),
        ("business date", str(info.business_date or "")),
        ("submitted by", info.trigger_type),
        ("priority", str(info.priority or "")),
        ("created", instant(info.created_at)),
        ("started", instant(info.started_at)),
        ("finished", f"{instant(info.finished_at)} ({duration(info.duration_s)})" if info.finished_at else ""),
        ("params", cut(compact(info.params), 400)),
        ("waits", info.wait_reason or ""),
        ("error", info.error or ""),
    ]
    for name, text in facts:
        if text:
            click.echo(f"  {name:<14}{text}")


def _show_tasks(tasks: list[TaskInfo], *, everything: bool) -> None:
    counts = Counter(task.state for task in tasks)
    if not tasks:
        return
    summary = ", ".join(f"{counts[state]} {coloured(state)}" for state in ORDER if counts[state])
    click.echo(f"\n{bold(f'{len(tasks)} tasks')}: {summary}\n" if len(tasks) > 1 else "")
    shown = tasks
    if len(tasks) > MOST and not everything:
        # Of many, those that need looking at.
        shown = sorted(sorted(tasks, key=lambda task: ORDER.index(task.state))[:MOST], key=lambda task: task.id)
    print_list(list(map(_row, shown)), COLUMNS)
    if len(shown) < len(tasks):
        click.echo(f"… and {len(tasks) - len(shown)} more; --all shows them")


def _row(task: TaskInfo) -> dict[str, Any]:
    """A running task counts its try, and its time by the clock of this host."""
    took_s, is_running = task.duration_s, task.state == "RUNNING"
    if is_running and task.started_at is not None:
        took_s = (datetime.now(UTC) - task.started_at).total_seconds()
    name = task.task if task.map_index is None else f"{task.task}[{task.map_index}]"
    about = {"name": name, "try": task.attempt + is_running or "", "duration_s": took_s, "note": _note(task)}
    return asdict(task) | about


def _progress(task: TaskInfo) -> str:
    """What the job reported by `context().progress()`: `25% (2/8) of symbols`."""
    if task.progress_done is None:
        return ""
    share = f"{task.progress:.0%} " if task.progress is not None else ""
    total = f"/{task.progress_total:g}" if task.progress_total is not None else ""
    return f"{share}({task.progress_done:g}{total}) {task.progress_text or ''}".rstrip()


def _note(task: TaskInfo) -> str:
    if task.state == "RUNNING":
        return _progress(task)
    note = task.wait_reason or first_line(task.error)
    if task.reason and task.reason != "error":
        note = f"{task.reason}: {note}" if note else task.reason
    elif task.state == "SKIPPED":
        note = "a condition does not hold, or a task before it was skipped"
    elif task.state == "SUCCESS":
        note = cut(compact(task.output), OUTPUT)
    return note


def _show_failures(attempts: list[AttemptInfo], *, tracebacks: bool) -> None:
    failed = [attempt for attempt in attempts if attempt.error]
    if not failed:
        return
    click.echo(f"\n{bold('Attempts that did not succeed')}")
    for attempt in failed:
        measures = [
            duration(attempt.duration_s),
            f"{attempt.peak_memory_mb:.0f} MB" if attempt.peak_memory_mb else "",
            f"signal {attempt.exit_signal}" if attempt.exit_signal else "",
            f"on {attempt.daemon}" if attempt.daemon else "",
        ]
        about = ", ".join(filter(None, measures))
        click.echo(
            f"  {attempt.task} #{attempt.attempt} {coloured('FAILED', attempt.reason)} ({about}): {attempt.error}"
        )
        if tracebacks and attempt.traceback:
            click.echo("    " + attempt.traceback.rstrip().replace("\n", "\n    "))
    if not tracebacks and any(attempt.traceback for attempt in failed):
        click.echo("  --tracebacks shows where")
