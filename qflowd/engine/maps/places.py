"""Places: items that start anew have rows already, and no more of them are open at once than their map says. Pure.

The others wait for a place as for one more parent; `item_rows.py` gives it to them, in their order, as items end.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from qflowd.engine.commands.recount import RecountedRow
from qflowd.engine.commands.row_graph import RowGraph
from qflowd.engine.maps.item_rows import window_of
from qflowd.model import rules
from qflowd.model.states import TaskState


class Places(NamedTuple):
    """The rows that start anew, those without a place gated; and by head of a map: how many wait, and the index of the first."""

    recounted: list[RecountedRow]
    gates: list[tuple[int, int, int]]


def take_places(
    graph: RowGraph,
    states: Mapping[int, TaskState],
    needs: Mapping[int, int],
    recounted: Sequence[RecountedRow],
    kept: Collection[int],
) -> Places:
    """Give places to items that start anew. `states`: of all rows before; `needs`: what they needed."""
    anew = {row.ordinal: row for row in recounted if row.ordinal not in kept}
    gates = []
    for head in sorted(graph.items):
        parts = graph.parts(head)
        if not any(part in anew for part in parts):
            continue
        open_parts = [part for part in parts if part not in anew and not states[part].is_final]
        gated = [part for part in open_parts if needs[part] >= rules.GATE]
        room = max(0, window_of(graph.plan.nodes[head]) - len(open_parts) + len(gated))
        restarted = sorted(part for part in parts if part in anew and not anew[part].state.is_final)
        for part in restarted[room:]:
            row = anew[part]
            anew[part] = row._replace(
                state=TaskState.PENDING, open_parents=row.open_parents + 1, need=row.need + rules.GATE
            )
        gated += restarted[room:]
        gates.append((head, len(gated), graph.index(min(gated)) if gated else 0))
    return Places([anew.get(row.ordinal, row) for row in recounted], gates)
