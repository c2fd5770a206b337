"""Where the tasks of an instance stand: what the rows of each node come to, as graphs, the grid and the live stream show it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.call import Call

# What a box of several rows is said to be: the first of these that one of them is.
ENDED_WELL: Final = ("SUCCESS", "SKIPPED")
ENDED_BADLY: Final = ("FAILED", "UPSTREAM_FAILED", "CANCELLED")
OPEN: Final = ("RUNNING", "RESERVED", "READY", "HELD", "PENDING")


class NodeStates:
    """What the rows of one node of an instance come to; made of rows of `count_node_states`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.head: str | None = None  # the state of a map's own row
        self.task_id: int | None = None  # of the row itself
        self.failed_id: int | None = None  # of the first row that failed
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self._items: int | None = None

    def add(self, row: Any, state: str) -> None:
        """Count some rows; `state` is theirs, as it is shown."""
        self.task_id = min(row.task_id, self.task_id or row.task_id)
        self.started_at = min((t for t in (self.started_at, row.started_at) if t), default=None)
        self.finished_at = max((t for t in (self.finished_at, row.finished_at) if t), default=None)
        if row.is_head:
            self.head, self._items = state, row.items
            return
        if state == "FAILED":
            self.failed_id = min(row.task_id, self.failed_id or row.task_id)
        self.counts[state] += row.tasks

    def close(self) -> None:
        """All rows have been added: items that have no row yet wait, and a map without items is a row like others."""
        if self.head is not None and self._items is None:
            self.counts[self.head] += 1
        elif self._items is not None and (more := self._items - self.counts.total()) > 0:
            self.counts["PENDING" if self.head in OPEN else "CANCELLED"] += more

    @property
    def state(self) -> str:
        """In one word. The end of a map is that of its own row, which may tolerate failed items."""
        if self.head is not None and self.head not in OPEN:
            return self.head
        return state_of(self.counts)


def state_of(counts: Mapping[str, int]) -> str:
    """What rows come to together: what one of them still does, else the worst end."""
    order = (*OPEN, *ENDED_BADLY, *ENDED_WELL)
    found = next((state for state in order if counts.get(state)), "PENDING")
    return "RUNNING" if found == "RESERVED" else found


def states_of_instance(call: Call, id: int, state: str) -> dict[int, NodeStates]:
    """Where the nodes of an instance stand; `state`: its own."""
    rows = call.read("count_node_states", rows=[(id,)])
    may_be_held = any(row.state == "READY" for row in rows)
    paused = [row.node for row in call.read("list_paused_nodes", id=id)] if may_be_held else []
    return states_by_node(rows, is_paused=state == "PAUSED", paused=paused)


def states_by_node(
    rows: Iterable[Any], *, is_paused: bool = False, paused: Iterable[int] = ()
) -> dict[int, NodeStates]:
    """Rows of `count_node_states` of one instance, by node. `paused`: nodes whose ready rows are HELD."""
    held, found = set(paused), dict[int, NodeStates]()
    for row in rows:
        is_held = row.state == "READY" and (is_paused or row.node in held)
        found.setdefault(row.node, NodeStates()).add(row, "HELD" if is_held else row.state)
    for node in found.values():
        node.close()
    return found


def shown_of(rows: Sequence[NodeStates]) -> dict[str, Any]:
    """What a box of these nodes shows; nothing as long as there are no rows."""
    if not rows:
        return {}
    counts: Counter[str] = Counter()
    for each in rows:
        counts.update(each.counts)
    state = rows[0].state if len(rows) == 1 else state_of(Counter(each.state for each in rows))
    ends = [each.finished_at for each in rows if each.finished_at] if state not in OPEN else []
    return {
        "counts": counts,
        "state": state,
        "task_id": str(rows[0].task_id) if len(rows) == 1 else None,
        "started_at": min((each.started_at for each in rows if each.started_at), default=None),
        "finished_at": max(ends, default=None),
    }
