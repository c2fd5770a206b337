"""From claimed rows to what a worker is sent: parameters rendered, outputs of parents and checkpoints at hand."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from qflowd.engine.claim import Claimed
from qflowd.engine.instances import Instance, Instances
from qflowd.engine.lanes import Lane
from qflowd.engine.plan import Node, by_name
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx
from qflowd.workers.wire import Assignment

LARGEST_UPSTREAM = 1 << 20


class Unrenderable(NamedTuple):
    """A row whose parameters or conditions have no value: it fails without running."""

    row: Claimed
    error: str


def render(tx: Tx, instances: Instances, lane: Lane, rows: Sequence[Claimed]) -> list[Assignment | Unrenderable]:
    """What to send for these rows, in their order. Reads what is missing: instances, outputs, checkpoints."""
    instances.load(tx, (row.id for row in rows))
    places = []
    wanted: set[int] = set()
    for row in rows:
        instance = instances[row.id // ORDINALS]
        node = instance.plan.nodes[row.node]
        places.append((row, instance, node))
        if node.parents:
            first = instance.id * ORDINALS
            wanted.update([first + parent for parent in node.sources])
    outputs = load_outputs(tx, instances, wanted) if wanted else {}
    # Whoever was claimed for the first time has no checkpoint.
    again = [(row.id,) for row in rows if row.fence > 1]
    saved = {row.task_id: row.value for row in tx.run("load_checkpoints", rows=again)} if again else {}
    found: list[Assignment | Unrenderable] = []
    # Hundreds of siblings have one text, which may be large.
    upstreams: dict[tuple[int, tuple[int, ...]], str | None] = {}
    for row, instance, node in places:
        try:
            params = node.constant if node.is_plain else None
            if params is None or instance.overrides:
                params = _params(instance, node, lane, outputs)
            upstream = None
            if node.parents:
                family = (instance.id, node.parents)
                if family not in upstreams:
                    upstreams[family] = _upstream(instance, node, outputs)
                upstream = upstreams[family]
            found.append(Assignment(row.id, row.fence, row.attempt + 1, node.key, params, upstream, saved.get(row.id)))
        except ExpressionFailed as problem:
            found.append(Unrenderable(row, str(problem)))
    return found


def load_outputs(tx: Tx, instances: Instances, task_ids: Iterable[int]) -> dict[int, str | None]:
    """Outputs as JSON text by task id; None where there is none."""
    found: dict[int, str | None] = {}
    missing = []
    for number in task_ids:
        if number in instances.outputs:
            found[number] = instances.outputs[number]
        else:
            missing.append((number,))
    if missing:
        for row in tx.run("load_outputs", rows=sorted(missing)):
            found[row.id] = row.output
            if row.output is None and row.state == TaskState.SUCCESS:
                parts = tx.run("load_large_value", task_id=row.id)
                found[row.id] = "".join(part.value for part in parts) or None
    return found


class Outputs(Mapping[str, Any]):
    """Task key -> {"output": value} for expressions; a text is parsed when it is first asked for."""

    def __init__(self, instance: Instance, texts: Mapping[int, str | None]) -> None:
        self._instance = instance
        self._texts = texts

    def __getitem__(self, key: str) -> dict[str, Json]:
        node = self._instance.plan.by_key[key]
        text = self._texts.get(self._instance.id * ORDINALS + node.node)
        return {"output": None if text is None else json.loads(text)}

    def __iter__(self) -> Any:
        return iter(self._instance.plan.by_key)

    def __len__(self) -> int:
        return len(self._instance.plan.by_key)


def scope_of(instance: Instance, outputs: Mapping[int, str | None]) -> dict[str, Any]:
    """What expressions of an instance may ask, outputs included."""
    return instance.scope | {"tasks": Outputs(instance, outputs)}


def _params(instance: Instance, node: Node, lane: Lane, outputs: Mapping[int, str | None]) -> str:
    if node.conditions:
        # A condition that had no value let the row through, so that its error is told here, as the row's own.
        scope = scope_of(instance, outputs)
        for condition in node.conditions.values():
            condition.render(scope)
    if (text := instance.rendered.get(node.node)) is not None:
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
        instance.rendered[node.node] = text
    return text


def _upstream(instance: Instance, node: Node, outputs: Mapping[int, str | None]) -> str | None:
    """The outputs of the parents as one JSON object; None where that would be too much to carry."""
    first = instance.id * ORDINALS
    labels = instance.plan.labels
    texts = [f"{labels[parent]}:{outputs.get(first + parent) or 'null'}" for parent in node.parents]
    if len(texts) > 1 and sum(map(len, texts)) > LARGEST_UPSTREAM:
        return None
    return "{" + ",".join(texts) + "}"
