"""Items above: of an item of a map that waits for others item by item, the rows of the same item before it."""

from collections.abc import Mapping
from typing import Any

from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.node import Node
from qflowd.model.ids import ORDINALS
from qflowd.store.tx import Tx


class ItemsAbove:
    """Those of the rows of one claim. Where lists begin is asked once for all items of a map."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._firsts: dict[int, dict[int, int]] = {}  # head -> node above -> id of its first item

    def of(self, instance: LoadedInstance, node: Node, index: int) -> dict[int, int]:
        """Node above -> the row of this item; its own row where it has no list, and ended without one."""
        first = instance.id * ORDINALS
        head = first + node.ordinal
        if (firsts := self._firsts.get(head)) is None:
            rows = self._tx.run("load_fan_outs", rows=[(first + above,) for above in sorted(node.running)])
            firsts = self._firsts[head] = {row.node: first + row.first_ordinal for row in rows}
        return {above: firsts[above] + index if above in firsts else first + above for above in node.running}


def row_above(tx: Tx, instance: LoadedInstance, task_id: int, parent: int) -> int:
    """The row of node `parent` whose output a task is given: that of the same item, where it waits for that."""
    first = instance.id * ORDINALS
    if instance.plan.each_children.get(parent) and (row := tx.one("load_place", id=task_id)) is not None:
        node = instance.plan.nodes[row.node]
        if row.map_index is not None and parent in node.running:
            return ItemsAbove(tx).of(instance, node, row.map_index)[parent]
    return first + parent


def unmet(tx: Tx, ids: list[int]) -> Mapping[int, Any]:
    """Of these claimed rows, those that are ready only to end: rows of `list_unmet` by id."""
    return {row.id: row for row in tx.run("list_unmet", rows=[(number,) for number in ids])} if ids else {}
