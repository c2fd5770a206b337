"""Settle: rows whose lane could not be told when they were made are claimed once, to be put into their own.

These are tasks that were admitted before anybody knew their job, and items for which a limit had no name.
"""

from collections.abc import Sequence

from qflowd.engine.caches import LaneIds, LaneKey
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.maps.item_lanes import settings_of
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.expand import stored_priority
from qflowd.engine.plans.fallbacks import Fallback
from qflowd.engine.plans.gather import Unrenderable
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.plan import effective
from qflowd.engine.plans.scope import load_items
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.store.tx import Store, Tx


def settle(store: Store, instances: Instances, rows: Sequence[Claimed]) -> list[Unrenderable]:
    """Put these rows, which were claimed, into their own lanes. Returns those that have none, and why.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    places: list[tuple[Claimed, LaneKey, int]] = []
    failed: list[Unrenderable] = []

    def look(tx: Tx) -> None:
        places.clear()
        failed.clear()
        instances.load_claimed(tx, rows)
        for row in rows:
            try:
                places.append((row, *_place(tx, instances, row)))
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the others find their lanes
                failed.append(Unrenderable(row, error))

    store.read(look)
    lanes = LaneIds(store)
    lanes.ensure(lane for _, lane, _ in places)
    moved = sorted((row.id, row.fence, lanes.id(lane), priority) for row, lane, priority in places)
    if moved:  # one that is missed has another owner now, who finds its lane
        store.transact(lambda tx: tx.run("move_tasks", rows=moved), name="settle")
    return failed


def _place(tx: Tx, instances: Instances, row: Claimed) -> tuple[LaneKey, int]:
    """The lane of a row and its priority there. Raises: ExpressionFailed; Unreadable."""
    instance = instances[instance_of(row.id)]
    node, is_part = instance.plan.nodes[row.node], row.id % ORDINALS != row.node
    settings, scope, priority = settings_of(tx, instances, instance, node), instance.scope, row.priority
    limits, fallback = settings.limits, instance.plan.fallback_of.get(row.node, Fallback.NONE)
    if is_part and row.map_index is not None and lane_keys.asks_item(limits):
        items = load_items(tx, instances, instance, node, row.id - row.map_index, row.round)
        scope = items.scope(scope, row.map_index)
    elif not is_part:
        limits = lane_keys.of_task(limits, fallback, is_map=node.task.map is not None)
        unknown = effective(node, instance.overrides.get(node.key, NO_OVERRIDE).settings, None, instance.outer)
        priority -= (settings.priority or 0) - (unknown.priority or 0)  # stored negated
    own = Fallback.ITEMS if is_part else Fallback.TASK
    text = lane_keys.rendered(limits, scope, has_fallback=fallback is own)
    return LaneKey(instance.tenant, str(settings.pool), node.job, text), stored_priority(-priority)
