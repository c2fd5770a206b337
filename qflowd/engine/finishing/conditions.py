"""Edges of ended rows, as far as the database must be asked: conditions, looked at once a parent has succeeded; stored edges."""

from collections.abc import Iterable, Sequence
from typing import Any

from qflowd.engine.finishing.advance import EndedRow, met_open_breaker
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.scope import load_outputs, scope_of
from qflowd.engine.plans.upstreams import Output
from qflowd.model.errors import ExpressionFailed
from qflowd.model.ids import task_id
from qflowd.store.tx import Tx


class EdgeConditions:
    """The conditions of one transaction. The outputs of an instance are read and parsed once for all its edges."""

    def __init__(self, tx: Tx, instances: Instances) -> None:
        self._tx = tx
        self._instances = instances
        self._instance_id = 0
        self._texts: dict[int, Output] = {}
        self._scope: dict[str, Any] = {}

    def children(self, parents: Sequence[int]) -> Iterable[tuple[int, int]]:
        """Stored edges: (parent, child) of these rows."""
        return self._tx.run("list_children", rows=[(number,) for number in parents])

    def has_begun(self, head_id: int) -> bool:
        """Has this map made rows for its items?"""
        return bool(self._tx.run("load_fan_outs", rows=[(head_id,)]))

    def holds(self, instance_id: int, parent: EndedRow, child: int) -> bool:
        """Does the condition of the edge from a row that ended to node `child` hold? There is one.

        One that has no value lets the child through: it fails with the reason when it is claimed.
        """
        instance = self._instances[instance_id]
        if parent.node in instance.plan.fallbacks.get(child, ()):
            return met_open_breaker(parent)
        if instance_id != self._instance_id:  # outputs may be large: those of one instance at a time
            self._instance_id, self._texts = instance_id, {}
            self._scope = scope_of(instance, self._texts)
        condition = instance.plan.nodes[child].conditions[parent.node]
        by_key = instance.plan.by_key
        wanted = {task_id(instance_id, by_key[key].ordinal) for key in condition.tasks} - self._texts.keys()
        outputs = load_outputs(self._tx, self._instances, [(number, parent.round) for number in wanted], wanted)
        self._texts.update(outputs)
        try:
            return condition.render(self._scope) is True
        except ExpressionFailed:
            return True
