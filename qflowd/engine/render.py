"""From claimed rows to what a worker is sent: parameters rendered, outputs of parents and checkpoints at hand."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qflowd.engine.claim import Claimed
from qflowd.engine.instances import Instance, Instances
from qflowd.engine.lanes import Lane, Terms
from qflowd.engine.plan import Node, by_name, effective
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model import jsontext
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import TaskState
from qflowd.model.workflow import Json, Settings
from qflowd.store.tx import Tx
from qflowd.workers.wire import Assignment

LARGEST_UPSTREAM = 1 << 20  # characters of several parents' outputs together; one alone always goes


class Unrenderable(NamedTuple):
    """A row that cannot be sent. ExpressionFailed: its parameters or a condition have no value."""

    row: Claimed
    problem: Exception


@dataclass(slots=True)
class Group:
    """Rows that run under the same terms, and what a worker is sent for each."""

    terms: Terms
    rows: list[Claimed] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)

    def without(self, instances: Collection[int]) -> "Group":
        """The same without the rows of these instances."""
        return Group(
            self.terms,
            [row for row in self.rows if instance_of(row.id) not in instances],
            [task for task in self.assignments if task.instance_id not in instances],
        )


class Gathered(NamedTuple):
    """All that it takes to render a claim: nothing more is asked of the database."""

    lane: Lane
    places: list[tuple[Claimed, Instance, Node]]
    outputs: Mapping[int, str | None]  # by task id, of parents and whatever else parameters and conditions name
    checkpoints: Mapping[int, str]  # by task id
    failed: list[Unrenderable]


def gather(tx: Tx, instances: Instances, lane: Lane, rows: Sequence[Claimed]) -> Gathered:
    """Read what these rows take. `instances` have been loaded."""
    failed: list[Unrenderable] = []
    places: list[tuple[Claimed, Instance, Node]] = []
    wanted: set[tuple[int, int]] = set()
    before: Instance | None = None  # of the row before: siblings ask for the same outputs
    sources: tuple[int, ...] = ()
    round_ = 0
    for row in rows:
        try:
            instance = instances[row.id // ORDINALS]
            node = instance.plan.nodes[row.node]
            if node.parents and (node.sources is not sources or instance is not before or row.round != round_):
                before, sources, round_, first = instance, node.sources, row.round, instance.id * ORDINALS
                wanted.update([(first + source, row.round) for source in sources])
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with a row, it stands in nobody's way
            failed.append(Unrenderable(row, problem))
        else:
            places.append((row, instance, node))
    outputs = load_outputs(tx, instances, wanted) if wanted else {}
    # Whoever was claimed for the first time has no checkpoint.
    again = [(row.id,) for row in rows if row.fence > 1]
    saved = {row.task_id: row.value for row in tx.run("load_checkpoints", rows=again)} if again else {}
    return Gathered(lane, places, outputs, saved, failed)


def render(gathered: Gathered, timeout_s: float | None) -> tuple[list[Group], list[Unrenderable]]:
    """What to send for these rows, in their order. `timeout_s`: the daemon's default."""
    lane, places, outputs, saved, failed = gathered
    upstreams = Upstreams(outputs)
    groups: dict[Settings, Group] = {}
    group: Group | None = None
    settings: Settings | None = None  # of the node before: most have the same
    for row, instance, node in places:
        is_overridden = bool(instance.overrides)
        try:
            params = node.constant if node.is_plain and not is_overridden else _params(instance, node, lane, outputs)
        except Exception as problem:  # noqa: BLE001
            failed.append(Unrenderable(row, problem))
            continue
        if group is None or settings is not node.settings or is_overridden:
            terms = _terms(instance, node, lane, timeout_s)
            group = groups.setdefault(terms.settings, Group(terms))
            settings = None if is_overridden else node.settings
        upstream = upstreams.of(instance, node) if node.parents else None
        number, _, fence, _, attempt, _, _, _, _, round_ = row
        task = Assignment(number, fence, attempt + 1, node.key, params or "{}", upstream, saved.get(number), round_)
        group.rows.append(row)
        group.assignments.append(task)
    return list(groups.values()), failed


def load_outputs(tx: Tx, instances: Instances, wanted: Iterable[tuple[int, int]]) -> dict[int, str | None]:
    """Outputs as JSON text by task id; None where there is none.

    `wanted`: task ids, with the round of who asks. If it is the one in which the output was made, nobody has had that task
    start anew since, for all that is behind it would have started anew as well. Otherwise the database is asked.
    """
    found: dict[int, str | None] = {}
    missing = []
    for key in wanted:
        if key in instances.outputs:
            found[key[0]] = instances.outputs[key]
        else:
            missing.append((key[0],))
    if missing:
        for row in tx.run("load_outputs", rows=sorted(missing)):
            found[row.id] = row.output
            if row.output is None and row.state == TaskState.SUCCESS:
                parts = tx.run("load_large_value", task_id=row.id)
                found[row.id] = "".join(part.value for part in parts) or None
    return found


class Upstreams:
    """The outputs of parents as one JSON object. Hundreds of siblings have one text, which may be large."""

    def __init__(self, outputs: Mapping[int, str | None]) -> None:
        self._outputs = outputs
        self._texts: dict[object, str | None] = {}
        self._before: tuple[Instance, tuple[int, ...], str | None] | None = None

    def of(self, instance: Instance, node: Node) -> str | None:
        """For one attempt of `node`; None where several are too much to carry."""
        before = self._before
        if before is not None and before[1] is node.parents and before[0] is instance:
            return before[2]
        text = self._join(instance, node.parents)
        self._before = instance, node.parents, text
        return text

    def _join(self, instance: Instance, parents: tuple[int, ...]) -> str | None:
        first, keys = instance.id * ORDINALS, instance.plan.json_keys
        family = first + parents[0] if len(parents) == 1 else (first, parents)
        if (text := self._texts.get(family)) is not None or family in self._texts:
            return text
        if len(parents) == 1:
            text = f"{{{keys[parents[0]]}:{self._outputs.get(first + parents[0]) or 'null'}}}"
        else:
            texts = [f"{keys[parent]}:{self._outputs.get(first + parent) or 'null'}" for parent in parents]
            text = "{" + ",".join(texts) + "}" if sum(map(len, texts)) <= LARGEST_UPSTREAM else None
        self._texts[family] = text
        return text


class Outputs(Mapping[str, Any]):
    """Task key -> {"output": value} for expressions; a text is parsed when it is first asked for."""

    def __init__(self, instance: Instance, texts: Mapping[int, str | None]) -> None:
        self._instance = instance
        self._texts = texts
        self._parsed: dict[str, dict[str, Json]] = {}

    def __getitem__(self, key: str) -> dict[str, Json]:
        if key not in self._parsed:
            node = self._instance.plan.by_key[key]
            text = self._texts.get(self._instance.id * ORDINALS + node.ordinal)
            self._parsed[key] = {"output": None if text is None else json.loads(text)}
        return self._parsed[key]

    def __iter__(self) -> Any:
        return iter(self._instance.plan.by_key)

    def __len__(self) -> int:
        return len(self._instance.plan.by_key)


def scope_of(instance: Instance, outputs: Mapping[int, str | None]) -> dict[str, Any]:
    """What expressions of an instance may ask, outputs included."""
    return instance.scope | {"tasks": Outputs(instance, outputs)}


def _terms(instance: Instance, node: Node, lane: Lane, timeout_s: float | None) -> Terms:
    if node.key not in instance.overrides:
        return lane.terms(node, timeout_s)
    return Terms(lane, effective(node, instance.overrides[node.key].settings, lane.job, timeout_s))


def _params(instance: Instance, node: Node, lane: Lane, outputs: Mapping[int, str | None]) -> str:
    if node.conditions:
        # A condition that had no value let the row through, so that its error is told here, as the row's own.
        scope = scope_of(instance, outputs)
        for condition in node.conditions.values():
            condition.render(scope)
    if (text := instance.rendered.get(node.ordinal)) is not None:
        return text
    override = instance.overrides.get(node.key, NO_OVERRIDE)
    if node.params is None:
        params = by_name(lane.job, instance.params)
    elif node.constant is not None and not override.params:
        return node.constant
    else:
        params = node.params.render(scope_of(instance, outputs))
    text = jsontext.dump({**params, **override.params}) if params or override.params else "{}"
    if node.params is None:
        instance.rendered[node.ordinal] = text
    return text
