"""From claimed rows to what a worker is sent: parameters rendered, outputs of parents and checkpoints at hand."""

import json
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any, NamedTuple

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane, Terms
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items import Items, evaluate
from qflowd.engine.plans.items_above import ItemsAbove, unmet
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import by_name, effective
from qflowd.engine.plans.upstreams import Large, Output, Upstreams, reader_of
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed, SkippedByPerson, Unreached, Unwanted
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import SUCCESS
from qflowd.model.workflow import Json, Settings
from qflowd.store.tx import Tx
from qflowd.workers.wire import LARGEST_OUTPUT, Assignment

WORTH_SHARING = 256  # characters of parameters; shorter ones travel with each task


class Unrenderable(NamedTuple):
    """A row that is not sent. ExpressionFailed: its parameters or a condition have no value. The others: it is skipped."""

    row: Claimed
    error: Exception


@dataclass(slots=True)
class Group:
    """Rows that may travel together, and what is sent for each. `terms`: the first one's; timeout and memory are equal."""

    terms: Terms
    upstreams: Upstreams
    shared: list[str] = field(default_factory=list)  # parameters that rows have in common
    rows: list[Claimed] = field(default_factory=list)
    row_terms: list[Terms] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)

    def share(self, text: str) -> int:
        """The number of parameters that rows, one after the other, have in common."""
        if not self.shared or self.shared[-1] is not text:
            self.shared.append(text)
        return len(self.shared) - 1

    def without(self, instances: Collection[int]) -> "Group":
        """The same without the rows of these instances."""
        kept = [i for i, row in enumerate(self.rows) if instance_of(row.id) not in instances]
        rows, row_terms = [self.rows[i] for i in kept], [self.row_terms[i] for i in kept]
        assignments = [self.assignments[i] for i in kept]
        return Group(self.terms, self.upstreams, self.shared, rows, row_terms, assignments)


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


def load_items(
    tx: Tx, instances: Instances, instance: LoadedInstance, node: Node, first_item: int, round_: int
) -> Items:
    """The list of a map, by the id of its first item. Raises: ExpressionFailed."""
    if (items := instances.items.get(first_item)) is None:
        sources = {instance.id * ORDINALS + source for source in node.map_sources}
        outputs = load_outputs(tx, instances, [(source, round_) for source in sources], sources)
        items = evaluate(node.task, scope_of(instance, outputs))
        instances.items.remember([(first_item, items)])
    return items


def render(gathered: Gathered, timeout_s: float | None) -> tuple[list[Group], list[Unrenderable]]:
    """What to send for these rows, in their order. `timeout_s`: the daemon's default."""
    upstreams = Upstreams(gathered.outputs)
    scopes: dict[int, dict[str, Any]] = {}  # of instances: an output is parsed once for all rows
    groups: dict[tuple[float | None, int | None], Group] = {}  # by what a chunk says of all its tasks
    for lane, places in gathered.parts:
        _render(gathered, lane, places, upstreams, scopes, groups, timeout_s)
    return list(groups.values()), gathered.failed


def _render(
    gathered: Gathered,
    lane: Lane,
    places: Sequence[Place],
    upstreams: Upstreams,
    scopes: dict[int, dict[str, Any]],
    groups: dict[tuple[float | None, int | None], Group],
    timeout_s: float | None,
) -> None:
    """Render the rows of one lane into groups."""
    _, outputs, saved, failed, lists, above = gathered
    group: Group | None = None
    terms: Terms | None = None
    settings: Settings | None = None  # of the node before: most have the same
    for row, instance, node in places:
        is_overridden = bool(instance.overrides)
        try:
            params = node.constant
            if params is None or node.conditions or is_overridden or node.task.when is not None:
                if (scope := scopes.get(instance.id)) is None:
                    scope = scopes[instance.id] = scope_of(instance, outputs)
                index = row.map_index
                if index is None and (is_overridden or node.conditions or node.when):  # of a map they were its head's
                    check_conditions(instance, node, scope, outputs)
                if index is not None and node.params is not None:
                    items = lists.get(row.id - index)
                    if node.named_items:
                        scope = {**scope, "tasks": scope["tasks"].of_item(above[row.id])}
                    scope = {**scope, "index": index} if items is None else items.scope(scope, index)
                params = _params(instance, node, lane, scope)
        except Exception as error:  # noqa: BLE001
            failed.append(Unrenderable(row, error))
            continue
        if group is None or terms is None or settings is not node.settings or is_overridden:
            terms = _terms(instance, node, lane, timeout_s)
            key = terms.settings.timeout, terms.settings.memory
            group = groups.setdefault(key, Group(terms, upstreams))
            settings = None if is_overridden else node.settings
        upstream = upstreams.of(instance, node.parents, above.get(row.id, {})) if node.parents else None
        number, _, fence, _, attempt, _, _, _, _, round_ = row
        text = params or "{}"
        sent = group.share(text) if len(text) > WORTH_SHARING and node.params is None else text
        task = Assignment(number, fence, attempt + 1, node.key, sent, upstream, saved.get(number), round_)
        group.rows.append(row)
        group.row_terms.append(terms)
        group.assignments.append(task)


def load_outputs(
    tx: Tx, instances: Instances, wanted: Iterable[tuple[int, int]], whole: Container[int] = ()
) -> dict[int, Output]:
    """Outputs by task id, of tasks that succeeded; those above 64 KB are read only if they are among `whole`.

    `wanted`: task ids, with the round of who asks. If it is the one in which the output was made, nobody has had that task
    start anew since, for all that is behind it would have started anew as well. Otherwise the database is asked.
    """
    outputs: dict[int, Output] = {}
    missing = []
    remembered = instances.outputs
    for key in wanted:
        if (output := remembered.get(key, remembered)) is not remembered:
            outputs[key[0]] = output  # type: ignore[assignment]
        else:
            missing.append((key[0],))
    if missing:
        for row in tx.run("load_outputs", rows=sorted(missing)):
            if row.state != SUCCESS:
                continue
            outputs[row.id] = row.output
            if row.output is None:
                read = reader_of(instances[instance_of(row.id)].plan, row)
                if read is not None:
                    outputs[row.id] = read(tx, row) if row.id in whole else Large(row.id, row.fence, row.round)
    return outputs


class Outputs(Mapping[str, Any]):
    """Task key -> {"output": value} for expressions; parsed when it is first asked for."""

    def __init__(self, instance: LoadedInstance, texts: Mapping[int, Output]) -> None:
        self._instance = instance
        self._texts = texts
        self._parsed: dict[str, dict[str, Json]] = {}

    def of_item(self, above: Mapping[int, int]) -> "Outputs":
        """What an item may ask: of these nodes, the output of the row that is named here."""
        item = ItemOutputs(self._instance, self._texts)
        item.whole, item.above = self, above
        return item

    def __getitem__(self, key: str) -> dict[str, Json]:
        if key not in self._parsed:
            self._parsed[key] = self._parse(key, self._instance.id * ORDINALS + self._instance.plan.by_key[key].ordinal)
        return self._parsed[key]

    def _parse(self, key: str, task_id: int) -> dict[str, Json]:
        text = self._texts.get(task_id)
        if isinstance(text, Large):
            raise ExpressionFailed(f"{key}.output is larger than {LARGEST_OUTPUT:,} bytes, all its items together")
        return {"output": json.loads(text) if isinstance(text, str) else None}

    def __iter__(self) -> Any:
        return iter(self._instance.plan.by_key)

    def __len__(self) -> int:
        return len(self._instance.plan.by_key)


class ItemOutputs(Outputs):
    """The outputs that one item may ask for: of the maps that it waited for item by item, those of the same item."""

    whole: Outputs
    above: Mapping[int, int]

    def __getitem__(self, key: str) -> dict[str, Json]:
        if (task_id := self.above.get(self._instance.plan.by_key[key].ordinal)) is None:
            return self.whole[key]
        return self._parse(key, task_id)


def scope_of(instance: LoadedInstance, outputs: Mapping[int, Output]) -> dict[str, Any]:
    """What expressions of an instance may ask, outputs included."""
    return instance.scope | {"tasks": Outputs(instance, outputs)}


def _terms(instance: LoadedInstance, node: Node, lane: Lane, timeout_s: float | None) -> Terms:
    if node.key not in instance.overrides:
        return lane.terms(node, timeout_s)
    return Terms(lane, effective(node, instance.overrides[node.key].settings, lane.job, Settings(timeout=timeout_s)))


def check_conditions(
    instance: LoadedInstance, node: Node, scope: Mapping[str, Any], outputs: Mapping[int, Output]
) -> None:
    """A condition that had no value let the row through, so that its error is raised here, as the row's own.

    Raises: ExpressionFailed; Unwanted if the task's `when` does not hold; SkippedByPerson.
    """
    if why := instance.overrides.get(node.key, NO_OVERRIDE).skip:
        raise SkippedByPerson(why)
    for parent, condition in node.conditions.items():
        if instance.id * ORDINALS + parent in outputs:
            condition.render(scope)
    if node.when is not None and not node.when.render(scope):
        raise Unwanted(f"when: {node.task.when}")


def _params(instance: LoadedInstance, node: Node, lane: Lane, scope: Mapping[str, Any]) -> str:
    override = instance.overrides.get(node.key, NO_OVERRIDE)
    memory = node.key if override.params else ""  # all others of the job have the same
    if node.params is None and (text := instance.rendered.get((lane.job.name, memory))) is not None:
        return text
    if node.params is None:
        params = by_name(lane.job, instance.params)
    elif node.constant is not None and not override.params:
        return node.constant
    else:
        params = node.params.render(scope)
    text = jsontext.dump({**params, **override.params}) if params or override.params else "{}"
    if node.params is None:
        instance.rendered[lane.job.name, memory] = text
    return text
