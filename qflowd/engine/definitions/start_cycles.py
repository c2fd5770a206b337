"""Workflows that start on each other's success: a cycle of them would never end, so what closes one is refused."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qflowd.model.errors import CycleFault, InvalidWorkflow
from qflowd.store.tx import Tx

Starts = Mapping[tuple[str, str], Sequence[str]]  # by tenant and workflow: those on whose success it starts


def starts_of(rows: Iterable[Any]) -> Starts:
    """What starts on what, by rows of `list_workflow_starts`."""
    starts: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        starts.setdefault((row.tenant, row.workflow), []).append(row.fact_name)
    return starts


def refuse_cycle_of_starts(tx: Tx, definition_id: int) -> None:
    """Raises: InvalidWorkflow if this workflow's success starts others that start it again."""
    rows = tx.run("list_workflow_starts")
    own = next((row for row in rows if row.definition_id == definition_id), None)
    if own is not None and (cycle := cycle_through(starts_of(rows), own.tenant, own.workflow)):
        path = " starts on ".join(cycle)
        message = f"{path}, so they would never end; take one start_on away"
        raise InvalidWorkflow([CycleFault("", 0, "schedule", message)])


def cycle_through(starts: Starts, tenant: str, workflow: str) -> list[str]:
    """The cycle that leads from a workflow to itself, with it at both ends; empty where there is none.

    `model/dag.py` finds whichever cycle comes first, which may be one that this workflow only leads to.
    """
    paths, seen = [[workflow]], set()
    while paths:
        path = paths.pop()
        for name in starts.get((tenant, path[-1]), ()):
            if name == workflow:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
