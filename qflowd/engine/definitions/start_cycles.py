"""Workflows that start on each other's success: a cycle of them would never end, so what closes one is refused."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qflowd.model.errors import CycleFault, InvalidWorkflow
from qflowd.model.states import FactKind
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
    if own is not None and (cycle := cycle_of_starts(starts_of(rows), own.tenant, own.workflow)):
        raise InvalidWorkflow([CycleFault("", 0, "schedule", why_cycle(cycle))])


def cycle_of_starts(starts: Starts, tenant: str, workflow: str) -> list[str]:
    """How a workflow starts on itself, perhaps by way of others: it, those on the way, and it again; or nothing."""
    return _way(starts, tenant, workflow, workflow)


def why_cycle(cycle: Sequence[str]) -> str:
    """What is wrong with such a cycle, in words."""
    return f"{' starts on '.join(cycle)}, so they would never end; take one start_on away"


def would_never_end(starts: Starts, fact: Any) -> bool:
    """Whether what starts on a fact, a row of a look, has started what made it, perhaps by way of others.

    What else starts the same workflow, such as a signal, is not concerned. The view `schedules` says it of the same ones.
    """
    return fact.fact_kind == FactKind.WORKFLOW and bool(_way(starts, fact.tenant, fact.fact_name, fact.workflow))


def _way(starts: Starts, tenant: str, workflow: str, other: str) -> list[str]:
    """How a workflow starts on another one, or on itself: all of them on the way, with these two at the ends; or nothing.

    `model/dag.py` finds whichever cycle comes first, which may be one that this workflow only leads to.
    """
    ways, seen = [[workflow]], set()
    while ways:
        way = ways.pop()
        for name in starts.get((tenant, way[-1]), ()):
            if name == other:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
