"""What the expressions of a row may ask: outputs of other tasks, the list of its map; and whether its conditions hold."""

import json
from collections.abc import Container, Iterable, Mapping
from typing import Any

from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items import Items, evaluate
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.produced import dataset_of
from qflowd.engine.plans.upstreams import Large, Output, reader_of
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model.errors import ExpressionFailed, SkippedByPerson, Unwanted
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import SUCCESS
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx
from qflowd.workers.wire import LARGEST_OUTPUT


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


def check_conditions(
    instance: LoadedInstance, node: Node, scope: Mapping[str, Any], outputs: Mapping[int, Output]
) -> None:
    """A condition that had no value let the row through, so that its error is raised here, as the row's own.

    So is that of the name of what it produces. Raises: ExpressionFailed; Unwanted if the task's `when` does not hold; SkippedByPerson.
    """
    if why := instance.overrides.get(node.key, NO_OVERRIDE).skip:
        raise SkippedByPerson(why)
    for parent, condition in node.conditions.items():
        if instance.id * ORDINALS + parent in outputs:
            condition.render(scope)
    if node.when is not None and not node.when.render(scope):
        raise Unwanted(f"when: {node.task.when}")
    if node.produces is not None:
        dataset_of(node.produces, scope)


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
