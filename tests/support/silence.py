"""What waits and does not say why, though no row may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, Intent, TaskKind, TaskState
from qflowd.store.tx import Store
from tests.support.kept_plans import AMONG, ask_of

MOST = 100  # instances that are asked at once


def silent(store: Store) -> Iterator[str]:
    """W1: whatever waits says why. What is being stopped or undone is between two states, and says so of the instance.

    The views are large, and take servers milliseconds to plan: they are asked only where something waits.
    """
    ask = store.connection().script
    opened = f"SELECT i.id FROM qflow.workflow_instance i WHERE i.state < {int(InstanceState.SUCCESS)}"
    swept = _codes(intent for intent in Intent if intent.is_end or intent is Intent.COMPENSATE)
    waiting = _codes(state for state in TaskState if not state.is_final and not state.is_held)
    held = _codes(state for state in TaskState if state.is_held)
    rows = f"SELECT 1 FROM qflow.task_instance t WHERE t.id BETWEEN i.id * {ORDINALS} AND i.id * {ORDINALS} + {ORDINALS - 1}"
    wait = ask(
        f"{opened} AND i.intent NOT IN ({swept}) AND EXISTS ({rows} AND t.state IN ({waiting})) ORDER BY i.id LIMIT {MOST}"
    )
    if wait:
        silent_tasks = (
            "SELECT t.id, t.state, t.kind FROM qflow.tasks x JOIN qflow.task_instance t ON t.id = x.id "
            f"WHERE x.instance_id {AMONG} AND t.state IN ({waiting}) AND x.wait_reason IS NULL"
        )
        for number, state, kind in ask_of(store, silent_tasks, [number for (number,) in wait]):
            yield f"W1: task {number} ({TaskKind(kind).name}) is {TaskState(state).name}, and does not say why it waits"
    stand = ask(f"{opened} AND NOT EXISTS ({rows} AND t.state IN ({held})) ORDER BY i.id LIMIT {MOST}")
    if stand:
        silent_instances = (
            "SELECT x.id, x.state, i.intent FROM qflow.instances x JOIN qflow.workflow_instance i ON i.id = x.id "
            f"WHERE x.id {AMONG} AND x.wait_reason IS NULL"
        )
        for number, state, intent in ask_of(store, silent_instances, [number for (number,) in stand]):
            name = f"instance {number} ({state}, intent {Intent(intent).name})"
            yield f"W1: {name} has no task that runs, and does not say why"


def _codes(values: Iterable[int]) -> str:
    return ", ".join(str(int(value)) for value in values)
