"""The rows of one instance: a range of the primary key, so any place of it is reached at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.named import no_such_instance
from qflowd.model.ids import ORDINALS, key_range, task_id
from qflowd.model.numbers import whole_number
from qflowd.model.states import InstanceState, TaskState


class Rows(NamedTuple):
    """Found rows (`id`, `node`, `lane`, `state`). `key`: of the last, where there are more."""

    rows: Sequence[Any]
    key: list[int] | None


@dataclass(frozen=True, slots=True)
class RowsOfInstance:
    """Which rows of an instance are asked for; `node`: of one task."""

    id: int
    state: InstanceState
    rows: int  # places of rows, those among them that an earlier state of the instance has left empty
    version: int = 0
    node: int = -1
    first_item: int | None = None  # the ordinal of the first item of a map that has its list
    items: int = 0

    @property
    def range(self) -> dict[str, int]:
        return key_range(self.id)

    def stored(self, states: frozenset[TaskState]) -> str:
        """The codes of what is stored for states that are shown: in a paused instance what is READY is shown as HELD."""
        if self.state is InstanceState.PAUSED:
            held = {TaskState.READY, TaskState.HELD} if TaskState.HELD in states else set[TaskState]()
            states = (states - {TaskState.READY, TaskState.HELD}) | held
        return "".join(str(int(state)) for state in sorted(states))


def rows_of(call: Call, instance: int, node: str | None = None) -> RowsOfInstance:
    """Where the rows of an instance lie, or those of one task, by its key or number.

    Raises: ApiFault 40401.
    """
    row = call.one("show_rows_place", instance_id=instance, task=node or "")
    if row is None:
        raise no_such_instance(call, instance)
    about = {
        "id": instance,
        "state": InstanceState(row.state),
        "rows": row.next_ordinal,
        "version": row.version_id or 0,
    }
    if node is None:
        return RowsOfInstance(**about)
    if row.node is None:
        number = 0 if row.version_id is None and node == row.job else whole_number(node, 7)
        if number is None:
            raise ApiFault(
                40401, f"instance {instance} has no task {node!r}; GET /instances/{instance}/tasks lists them"
            )
        return RowsOfInstance(**about, node=number)
    return RowsOfInstance(**about, node=row.node, first_item=row.first_ordinal, items=row.items or 0)


def at_place(call: Call, of: RowsOfInstance, place: int, after: int | None, limit: int) -> tuple[Rows, int]:
    """Rows from a place on: of the instance, or of the items of a map. With how many places there are."""
    first, total = task_id(of.id, 0), of.rows
    if of.node >= 0:
        if of.first_item is None:
            first, total = task_id(of.id, of.node), 1
        else:
            first, total = task_id(of.id, of.first_item), of.items
    start = max(first + min(place, ORDINALS), (after or 0) + 1)
    rows = call.read("find_rows", instance_id=of.id, first=start, last=first + total - 1, batch=limit + 1)
    return _cut(rows, limit), total


def in_order(
    call: Call, of: RowsOfInstance, states: frozenset[TaskState], search: str | None, after: int | None, limit: int
) -> Rows:
    """Rows in their order, which is that of the workflow."""
    where: dict[str, Any] = {"instance_id": of.id, **of.range, "batch": limit + 1, "node": of.node}
    where["first"] = max(where["first"], (after or 0) + 1)
    if states == {TaskState.FAILED} and search is None:
        return _cut(call.read("find_failed_rows", **where), limit)
    if states == frozenset(TaskState) and search is None and of.node < 0:
        del where["node"]
        return _cut(call.read("find_rows", **where), limit)
    where |= _conditions(of, states, search)
    return _cut(call.read("find_rows_like", **where), limit)


def failed_first(
    call: Call,
    of: RowsOfInstance,
    states: frozenset[TaskState],
    search: str | None,
    key: tuple[int, int] | None,
    limit: int,
) -> Rows:
    """Rows that need looking at first."""
    place, after = key or (-1, 0)
    where = _conditions(of, states, search) | {"place": place, "after": after}
    rows = call.read("find_rows_failed_first", instance_id=of.id, **of.range, **where, batch=limit + 1)
    if len(rows) <= limit:
        return Rows(rows, None)
    return Rows(rows[:limit], [rows[limit - 1].place, rows[limit - 1].id])


def count(call: Call, of: RowsOfInstance, states: frozenset[TaskState], search: str | None) -> int:
    """How many rows there are."""
    where = _conditions(of, states, search)
    return int(call.one("count_rows", instance_id=of.id, **of.range, **where).tasks)


def _conditions(of: RowsOfInstance, states: frozenset[TaskState], search: str | None) -> dict[str, Any]:
    where = {"states": of.stored(states), "in_any_state": int(states == frozenset(TaskState))}
    return where | {"search": search or "", "version_id": of.version, "node": of.node}


def _cut(rows: Sequence[Any], limit: int) -> Rows:
    return Rows(rows[:limit], [rows[limit - 1].id] if len(rows) > limit else None)
