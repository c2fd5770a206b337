"""When a task of a plan runs, how often, and what its failure means, in short form."""

from collections.abc import Iterator
from typing import Any, Final

from qflowd.cli.printing import compact, cut
from qflowd.model.limits import Limits, lane_text
from qflowd.model.workflow import Edge, Task

LONGEST_LIST: Final = 60  # columns of the terminal, of a map's list that is written out


def after_text(task: Task) -> str:
    """The tasks before it, with their conditions: `universe, check if {{ check.output.ok }}, bars (each)`."""
    return ", ".join(map(_edge, task.after))


def _edge(edge: Edge) -> str:
    condition = f" if {edge.condition}" if edge.condition else ""
    on = f" on {edge.on}" if edge.on else ""
    return f"{edge.parent}{condition}{on}{' (each)' if edge.each else ''}"


def rules_text(task: Task, limits: Limits | None, retry: str | None = None) -> str:
    """What differs from a task that runs once, after all before it have succeeded. `limits`, `retry`: of all levels together."""
    rules = [*_rules(task, limits), *(("retry manual",) if retry == "manual" else ())]
    return "; ".join(rules)


def _rules(task: Task, limits: Limits | None) -> Iterator[str]:
    if task.trigger_rule != "all_success":
        yield task.trigger_rule
    if task.when is not None:
        yield f"when {task.when}"
    if task.map is not None:
        yield _map(task)
    if task.on_failure != "fail":
        yield f"on_failure {task.on_failure}"
    if task.run_on is not None:
        yield f"run_on {task.run_on}"
    if limits:
        yield f"limits {lane_text(limits)}"


def _map(task: Task) -> str:
    items = task.map if isinstance(task.map, str) else compact(task.map)
    about: dict[str, Any] = {"chunk": task.chunk, "max_parallel": task.max_parallel, "label": task.label}
    if task.tolerate is not None:
        about |= {"fail_pct": task.tolerate.fail_pct, "min_ok": task.tolerate.min_ok}
    words = [f"{name} {_number(value)}" for name, value in about.items() if value is not None]
    return f"map {cut(items, LONGEST_LIST)}" + (f" ({', '.join(words)})" if words else "")


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
