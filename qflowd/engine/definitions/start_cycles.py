"""Workflows that start on each other's success: a circle of them would never end, so what closes one is refused."""

from collections.abc import Iterable
from typing import Any

from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.store.tx import Tx


def refuse_cycle_of_starts(tx: Tx, definition_id: int) -> None:
    """Raises: InvalidWorkflow if this workflow's success starts others that start it again."""
    rows = tx.run("list_workflow_starts")
    own = next((row for row in rows if row.definition_id == definition_id), None)
    if own is not None and (circle := circle_through(rows, own.tenant, own.workflow)):
        path = " starts on ".join(circle)
        raise InvalidWorkflow([Fault("", 0, "schedule", f"{path}, so they would never end; take one start_on away")])


def circle_through(rows: Iterable[Any], tenant: str, workflow: str) -> list[str]:
    """The circle that leads from a workflow to itself, with it at both ends; empty where there is none.

    `rows`: of `list_workflow_starts`.
    """
    starts_on: dict[str, list[str]] = {}
    for row in rows:
        if row.tenant == tenant:
            starts_on.setdefault(row.workflow, []).append(row.fact_name)
    paths, seen = [[workflow]], set()
    while paths:
        path = paths.pop()
        for name in starts_on.get(path[-1], ()):
            if name == workflow:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
