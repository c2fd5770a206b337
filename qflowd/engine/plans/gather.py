"""What it takes to render claimed rows, read at once: outputs of parents, checkpoints, lists of maps."""

from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items import Items
from qflowd.engine.plans.items_above import ItemsAbove, unmet
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.scope import check_conditions, load_items, load_outputs, scope_of
from qflowd.engine.plans.upstreams import Output
from qflowd.model.errors import Unreached
from qflowd.model.ids import ORDINALS
from qflowd.store.tx import Tx


class Unrenderable(NamedTuple):
    """A row that is not sent. ExpressionFailed: its parameters or a condition have no value. The others: it is skipped."""

    row: Claimed
    error: Exception


Place = tuple[Claimed, LoadedInstance, Node]


class Gathered(NamedTuple):
    """All that it takes to render rows, lane by lane: nothing more is asked of the database."""

    parts: Sequence[tuple[Lane, Sequence[Place]]]
    outputs: Mapping[int, Output]  # by task id, of parents and whatever else parameters and conditions name
    checkpoints: Mapping[int, str]  # by task id
    failed: list[Unrenderable]
    items: Mapping[int, Items]  # lists of maps, by the id of their first item
    above: Mapping[int, Mapping[int, int]]  # by the id of an item: node -> the row of the same item before it


def gather(tx: Tx, instances: Instances, *claimed: tuple[Lane, Sequence[Claimed]]) -> Gathered:
    """Read what these rows of one lane or several take. `instances` have been loaded."""
    failed: list[Unrenderable] = []
    places: list[Place] = []
    wanted: set[tuple[int, int]] = set()
    whole: set[int] = set()  # what parameters and conditions name
    before: LoadedInstance | None = None  # of the row before: siblings ask for the same outputs
    sources: tuple[int, ...] = ()
    round_ = 0
    instance: LoadedInstance | None = None
    lists: dict[int, Items] = {}
    above: dict[int, dict[int, int]] = {}
    items_above = ItemsAbove(tx)
    rows = list(chain.from_iterable(rows for _, rows in claimed))
    for row in rows:
        try:
            number = row.id // ORDINALS
            if instance is None or instance.id != number:
                instance = instances[number]
            node = instance.plan.nodes[row.node]
            if node.parents and (node.sources is not sources or instance is not before or row.round != round_):
                before, sources, round_, first = instance, node.sources, row.round, number * ORDINALS
                wanted.update([(first + source, round_) for source in sources])
                if node.named:
                    whole.update([first + source for source in node.named])
            if row.map_index is not None and node.running:
                mine = above[row.id] = items_above.of(instance, node, row.map_index)
                wanted.update([(mine[parent], row.round) for parent in mine if parent in node.items_asked])
                whole.update([mine[parent] for parent in node.named_items])
            if row.map_index is not None and node.uses_item and (first_item := row.id - row.map_index) not in lists:
                lists[first_item] = load_items(tx, instances, instance, node, first_item, row.round)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the others are sent
            failed.append(Unrenderable(row, error))
        else:
            places.append((row, instance, node))
    if ending := unmet(tx, sorted(above)):
        failed += [Unrenderable(row, Unreached(ending[row.id])) for row, *_ in places if row.id in ending]
        places = [place for place in places if place[0].id not in ending]
    outputs = load_outputs(tx, instances, wanted, whole) if wanted else {}
    # Whoever was claimed for the first time has no checkpoint.
    again = [(row.id,) for row in rows if row.fence > 1]
    saved = {row.task_id: row.value for row in tx.run("load_checkpoints", rows=again)} if again else {}
    return Gathered(_by_lane(claimed, places), outputs, saved, failed, lists, above)


def _by_lane(
    claimed: Sequence[tuple[Lane, Sequence[Claimed]]], places: Sequence[Place]
) -> list[tuple[Lane, Sequence[Place]]]:
    """The places of rows, in their order, by the lanes that these were claimed from."""
    if len(claimed) == 1:
        return [(claimed[0][0], places)]
    lanes = {row.id: lane for lane, rows in claimed for row in rows}
    parts = groupby(places, lambda place: lanes[place[0].id].id)
    return [(lanes[part[0][0].id], part) for part in (list(places) for _, places in parts)]


def end_unrun(
    tx: Tx, instances: Instances, lane: Lane, rows: Sequence[Claimed], error: Exception
) -> list[Unrenderable]:
    """Why each of these rows ends without running: for `error`, unless it would not have run in any case."""
    gathered = gather(tx, instances, (lane, rows))
    [(_, places)] = gathered.parts
    heads = [row.id for row, _, node in places if row.map_index is None and node.running]
    unreached = unmet(tx, heads)
    ended = list(gathered.failed)
    for row, instance, node in places:
        why = error
        if row.id in unreached:
            why = Unreached(unreached[row.id])
        elif row.map_index is None:  # of a map they were its head's
            try:
                check_conditions(instance, node, scope_of(instance, gathered.outputs), gathered.outputs)
            except Exception as other:  # noqa: BLE001 - its own reason
                why = other
        ended.append(Unrenderable(row, why))
    return ended
