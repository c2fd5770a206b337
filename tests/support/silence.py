"""What waits and does not say why, though no row may."""

from __future__ import annotations

from collections.abc import Iterator

from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, Intent, TaskKind, TaskState
from qflowd.store.tx import Store


def silent(store: Store) -> Iterator[str]:
    """W1: whatever waits says why. What is being stopped or undone is between two states, and says so of the instance."""
    swept = ", ".join(str(int(intent)) for intent in Intent if intent.is_end or intent is Intent.COMPENSATE)
    waiting = ", ".join(str(int(state)) for state in TaskState if not state.is_final and not state.is_held)
    sql = (
        "SELECT t.id, t.state, t.kind FROM qflow.tasks x JOIN qflow.task_instance t ON t.id = x.id "
        "JOIN qflow.workflow_instance i ON i.id = x.instance_id "
        f"WHERE t.state IN ({waiting}) AND i.state < {int(InstanceState.SUCCESS)} AND i.intent NOT IN ({swept}) "
        "AND x.wait_reason IS NULL"
    )
    for number, state, kind in store.connection().script(sql):
        yield f"W1: task {number} ({TaskKind(kind).name}) is {TaskState(state).name}, and does not say why it waits"
    sql = (
        "SELECT i.id, i.state, i.intent FROM qflow.workflow_instance i "
        f"WHERE i.state < {int(InstanceState.SUCCESS)} AND NOT EXISTS (SELECT 1 FROM qflow.task_instance t "
        f"WHERE t.id BETWEEN i.id * {ORDINALS} AND i.id * {ORDINALS} + {ORDINALS - 1} "
        f"AND t.state IN ({', '.join(str(int(state)) for state in TaskState if state.is_held)})) ORDER BY i.id LIMIT 20"
    )
    for number, state, intent in store.connection().script(sql):
        rows = store.connection().script(f"SELECT wait_reason FROM qflow.instances WHERE id = {number}")
        if [tuple(row) for row in rows] == [(None,)]:
            name = f"instance {number} ({InstanceState(state).name}, intent {Intent(intent).name})"
            yield f"W1: {name} has no task that runs, and does not say why"
