"""Fan-out: a map's own row, its head, waits for the rows of its items; the first ones are made when it is claimed."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from qflowd.engine.caches import LaneIds, LaneKey
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.take import place_of
from qflowd.engine.limits.slots import Freed, give_back
from qflowd.engine.maps import item_lanes
from qflowd.engine.maps.item_rows import Part, labels_of, lock_heads, make_rows, next_part, window_of
from qflowd.engine.ordinals import TakenOrdinals
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.items import Items, evaluate
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.scope import check_conditions, load_items, load_outputs, scope_of
from qflowd.model import rules
from qflowd.model.errors import ExpressionFailed, LeaseLost, StoreUnavailable, Unreached
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import TaskState
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
LARGEST: Final = 10_000  # rows made in one transaction, unless one head alone makes more


class Opening(NamedTuple):
    """A head that was claimed, and the items that it will wait for.

    `fresh`: its list; None for a head that waited before: then some items have `ended`, of them `bad` ones not well.
    `lanes`: those that must be there before its items.
    """

    row: Claimed
    part: Part
    fresh: Items | None
    needed: int  # of them must not fail
    ended: int = 0
    bad: int = 0
    lanes: frozenset[LaneKey] = frozenset()


@dataclass(slots=True)
class Expansion:
    """The heads that do not wait: those whose items have all ended (or that have none), those that failed; and `left`."""

    ended: list[tuple[Claimed, int, int]] = field(
        default_factory=list
    )  # with how many items, and how many failed if too many did
    failed: list[tuple[Claimed, Exception]] = field(default_factory=list)
    left: list[Claimed] = field(default_factory=list)  # for a later turn: nothing was done with them


def expand(store: Store, instances: Instances, rows: Sequence[Claimed], freed: Sequence[Freed] = ()) -> Expansion:
    """Make the first rows of the items of these heads, which from then on wait for them.

    The most urgent come first. When one transaction is full, the others are left: meanwhile nobody writes results, and workers idle.
    `freed`: what the claim took of limits for these heads; it is given back.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    expanded, openings, weight = Expansion(), [], 0
    heads = sorted(rows, key=place_of)
    for place, row in enumerate(heads):
        try:
            opening = store.read(lambda tx, row=row: _look(tx, instances, row))  # type: ignore[misc]
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are expanded
            expanded.failed.append((row, error))
            continue
        if opening.ended == opening.part.items:
            is_failed = opening.needed > opening.ended - opening.bad
            expanded.ended.append((row, opening.ended, opening.bad if is_failed else 0))
            continue
        LaneIds(store).ensure(opening.lanes)
        openings.append(opening)
        weight += opening.part.end - opening.part.start
        if weight >= LARGEST:
            expanded.left = heads[place + 1 :]
            break
    _open(store, instances, sorted(openings), freed)
    return expanded


def _look(tx: Tx, instances: Instances, row: Claimed) -> Opening:
    """What a claimed head will wait for. Raises: ExpressionFailed if there is no list; Unreadable."""
    number = instance_of(row.id)
    instances.load(tx, [row.id])
    instance = instances[number]
    node = instance.plan.nodes[row.node]
    if node.running and (unmet := tx.one("list_unmet", rows=[(row.id,)])):
        raise Unreached(unmet)
    if fan_out := tx.one("load_fan_outs", rows=[(row.id,)]):
        # It waited for them before, and was made ready by a retry when none was open.
        first = number * ORDINALS + fan_out.first_ordinal
        states = {
            TaskState(item.state): int(item.items)
            for item in tx.run("count_ended_items", first=first, last=first + fan_out.items - 1)
        }
        bad = sum(count for state, count in states.items() if rules.item_worth(state).bad)
        needed = rules.needed(fan_out.items, node.task.tolerate)
        return Opening(row, next_part(tx, instances, fan_out, 0), None, needed, sum(states.values()), bad)
    scope = _scope(tx, instances, node, row)
    items = _items_above(tx, instances, node, row) or evaluate(node.task, scope)
    next_ordinal = tx.one("load_next_ordinals", rows=[(number,)]).next_ordinal
    if next_ordinal + len(items) > ORDINALS:
        raise ExpressionFailed(
            f"map: {len(items):,} items are too many: an instance has at most {ORDINALS:,} rows (ORDINALS), and "
            f"{next_ordinal:,} are taken. Give the task a `chunk`"
        )
    needed = rules.needed(len(items), node.task.tolerate)
    if needed > len(items):
        raise ExpressionFailed(f"tolerate: min_ok is {needed:,}, and the list has {len(items):,} items")
    end = min(len(items), window_of(node))
    of_items, lanes = item_lanes.lanes_of_all(tx, instances, instance, node, items)
    labels = labels_of(instance, node, items, 0, end)
    part = Part(row.id, node.ordinal, len(items), 0, end, labels, lanes=None if of_items is None else of_items[:end])
    return Opening(row, part, items, needed, lanes=lanes)


def _scope(tx: Tx, instances: Instances, node: Node, row: Claimed) -> dict[str, Any]:
    """What the list of a head may ask. Raises: as `check_conditions`."""
    instance = instances[instance_of(row.id)]
    first, whole = instance.id * ORDINALS, node.map_sources | node.named
    wanted = [(first + source, row.round) for source in whole.union(node.sources)]
    outputs = load_outputs(tx, instances, wanted, {first + source for source in whole})
    scope = scope_of(instance, outputs)
    check_conditions(instance, node, scope, outputs)
    return scope


def _items_above(tx: Tx, instances: Instances, node: Node, row: Claimed) -> Items | None:
    """The list of the maps before, which is its own; None where none of them has one.

    Raises: ExpressionFailed if they have lists of different lengths.
    """
    instance = instances[instance_of(row.id)]
    first = instance.id * ORDINALS
    heads = [(first + parent,) for parent in sorted(instance.plan.each.get(node.ordinal, ()))]
    fan_outs = tx.run("load_fan_outs", rows=heads) if heads else []
    lengths = {instance.plan.nodes[fan_out.node].key: fan_out.items for fan_out in fan_outs}
    if len(set(lengths.values())) > 1:
        lists = ", ".join(f"{key} has {items:,} items" for key, items in lengths.items())
        raise ExpressionFailed(f"map: the lists before it differ in length: {lists}")
    for above in fan_outs:
        source = instance.plan.nodes[above.node]
        return load_items(tx, instances, instance, source, first + above.first_ordinal, above.round)
    return None


def _open(store: Store, instances: Instances, openings: Sequence[Opening], freed: Sequence[Freed]) -> None:
    if not openings:
        return
    try:
        parts = store.transact(lambda tx: _write(tx, instances, openings, freed), name="expand_maps")
    except LeaseLost:
        if len(openings) > 1:
            for opening in openings:
                _open(store, instances, [opening], freed)
        else:
            log.warning("task %d was not expanded: its row has another owner", openings[0].row.id)
        return
    places = zip(parts, openings, strict=True)
    instances.items.remember([(part.first_id, o.fresh) for part, o in places if o.fresh is not None])


def _heads_behind(instances: Instances, parts: Sequence[Part]) -> list[tuple[int, int]]:
    """The heads that wait for the lists of these item by item, and for how many of them."""
    behind: Counter[int] = Counter()
    for part in parts:
        below = instances[instance_of(part.head)].plan.each_children.get(part.node, ())
        behind.update(part.head - part.node + child for child in below)
    return sorted(behind.items())


def _write(tx: Tx, instances: Instances, openings: Sequence[Opening], freed: Sequence[Freed]) -> list[Part]:
    """One transaction: heads (fenced) → items, which are new → limits → instances. Returns the parts with their places."""
    lock_heads(tx, instances, [opening.row.id for opening in openings])
    taken = TakenOrdinals(tx, (instance_of(opening.row.id) for opening in openings))
    heads, parts = [], []
    for row, part, fresh, needed, ended, bad, _ in openings:
        heads.append((row.id, row.fence, part.items - ended, needed - (ended - bad), bad))
        if fresh is not None:
            part = part._replace(first_ordinal=taken.take(instance_of(row.id), part.items))  # noqa: PLW2901
        parts.append(part)
    if tx.count("expand_heads", rows=heads, now=tx.now) < len(heads):
        raise LeaseLost
    make_rows(tx, instances, parts)
    begun = [part for part, opening in zip(parts, openings, strict=True) if opening.fresh is not None]
    if behind := _heads_behind(instances, begun):
        tx.run("begin_heads", rows=behind, now=tx.now)
    if freed:
        opened = {row.id for row, *_ in openings}
        give_back(tx, [row for row in freed if row.id in opened])
    taken.reserve(tx)
    return parts
