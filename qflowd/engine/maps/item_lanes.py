"""Lanes of items: where limits are named after items, each item stands in the lane of its own names."""

from collections.abc import Sequence

from qflowd.engine.caches import LaneKey
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.fallbacks import Fallback
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items import Items
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import effective
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model.errors import ExpressionFailed
from qflowd.model.limits import UNSETTLED
from qflowd.model.workflow import Settings
from qflowd.store.tx import Tx

MOST_LANES = 1000  # of the items of one map


def settings_of(tx: Tx, instances: Instances, instance: LoadedInstance, node: Node) -> Settings:
    """All levels of settings of a task, as its job is now."""
    override = instance.overrides.get(node.key, NO_OVERRIDE)
    return effective(node, override.settings, instances.jobs.get(tx, node.job), instance.outer)


def are_apart(tx: Tx, instances: Instances, instance: LoadedInstance, node: Node) -> bool:
    """Do items of this map stand in other lanes than its own row?"""
    if not node.job:
        return False
    return node.ordinal in instance.plan.fallback_of or lane_keys.asks_item(
        settings_of(tx, instances, instance, node).limits
    )


def lanes_of(
    tx: Tx, instances: Instances, instance: LoadedInstance, node: Node, items: Items, indexes: range
) -> list[LaneKey]:
    """The lanes of these items; an item whose limits have no names is unsettled, and fails when it is claimed."""
    settings = settings_of(tx, instances, instance, node)
    has_fallback = instance.plan.fallback_of.get(node.ordinal) is Fallback.ITEMS
    lanes: dict[str, LaneKey] = {}
    keys = []
    for index in indexes:
        try:
            limits = lane_keys.rendered(settings.limits, items.scope(instance.scope, index), has_fallback=has_fallback)
        except ExpressionFailed:
            limits = UNSETTLED
        if (key := lanes.get(limits)) is None:
            key = lanes[limits] = LaneKey(instance.tenant, str(settings.pool), node.job, limits)
        keys.append(key)
    return keys


def lanes_of_all(
    tx: Tx, instances: Instances, instance: LoadedInstance, node: Node, items: Items
) -> tuple[Sequence[LaneKey] | None, frozenset[LaneKey]]:
    """The lanes of all items in their order, None where that is the map's own; and which must be there before their rows.

    Raises: ExpressionFailed if they are too many.
    """
    if not are_apart(tx, instances, instance, node):
        return None, frozenset()
    keys = lanes_of(tx, instances, instance, node, items, range(len(items)))
    lanes = frozenset(keys)
    if len(lanes) > MOST_LANES:
        raise ExpressionFailed(
            f"limits: the {len(items):,} items name {len(lanes):,} different sets of limits; at most {MOST_LANES:,} "
            "(MOST_LANES) are possible. Name limits after what items share, such as their bank or account"
        )
    return keys, lanes | {keys[0]._replace(limits=UNSETTLED)} if keys else lanes


def ids_of(tx: Tx, keys: Sequence[LaneKey]) -> dict[LaneKey, int]:
    """The ids of lanes. In the place of one that is not there, as the job has changed since the map began: an unsettled one."""
    wanted = set(keys) | {key._replace(limits=UNSETTLED) for key in keys}
    ids = {LaneKey(*row[1:]): row[0] for row in tx.run("find_lanes", rows=sorted(wanted))}
    if lacking := sorted({key for key in wanted - ids.keys() if key.limits == UNSETTLED}):
        tx.run("insert_lane", rows=lacking)
        ids |= {LaneKey(*row[1:]): row[0] for row in tx.run("find_lanes", rows=lacking)}
    return {key: ids[key] if key in ids else ids[key._replace(limits=UNSETTLED)] for key in keys}
