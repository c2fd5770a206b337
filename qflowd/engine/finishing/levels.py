"""Levels: what ended rows bring to the rows behind them, these to the rows behind them, until no more end by it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from qflowd.engine import kinds
from qflowd.engine.finishing import datasets
from qflowd.engine.finishing.conditions import EdgeConditions
from qflowd.engine.maps import item_rows
from qflowd.engine.plans.instances import InstanceRows, Instances
from qflowd.engine.spawning import spawn
from qflowd.store.tx import Tx


class Levels(NamedTuple):
    """What came of it: all rows that have ended, those among them that did because of others, and what may begin now."""

    ended: Sequence[InstanceRows[Any]]
    unrun: list[Any]
    has_advanced: bool
    may_be_unclaimed: bool


def advance_levels(tx: Tx, instances: Instances, level: list[InstanceRows[Any]]) -> Levels:
    """Advance what is behind these rows, which have ended, sorted by id. `instances` have been loaded."""
    ended, every_unrun = level, []
    has_advanced = may_be_unclaimed = False
    conditions = EdgeConditions(tx, instances)
    while level:
        rows, doubtful, fans, heads, items, spawners = kinds.arrivals(level, conditions)
        has_advanced |= bool(rows or fans)
        may_be_unclaimed |= any(instance.plan.has_unclaimed for instance, _ in level)
        unrun: list[Any] = []
        if heads:
            unrun, has_opened = item_rows.advance_heads(tx, instances, heads, items)
            has_advanced |= has_opened
        if spawners:
            unrun = unrun + spawn.advance(tx, instances, spawners)
        if rows:
            tx.run("advance_tasks", rows=rows, now=tx.now)
        if fans:
            tx.run("advance_fans", rows=fans, now=tx.now)
        if doubtful:
            unrun = unrun + tx.run("find_ended_unrun", rows=[(number,) for number in doubtful])
        every_unrun += unrun
        level = instances.by_instance(sorted(unrun, key=lambda row: int(row.id)))
        ended = ended + level
    datasets.record(tx, ended)
    return Levels(ended, every_unrun, has_advanced, may_be_unclaimed)
