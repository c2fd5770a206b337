"""Datasets: the success of a task that says what it `produces` is a new version of it, in the transaction of that success."""

from collections.abc import Sequence
from typing import Any

from qflowd.engine.plans.instances import InstanceRows
from qflowd.engine.plans.produced import dataset_of
from qflowd.model.ids import ORDINALS
from qflowd.model.states import SUCCESS
from qflowd.store.tx import Tx


def record(tx: Tx, ended: Sequence[InstanceRows[Any]]) -> None:
    """Record what these rows, which have ended, produced. Whoever produces the same at this moment waits for the commit."""
    made = [
        (instance.tenant, dataset_of(node.produces, instance.scope | {"tasks": {}}), row.id, node, instance)
        for instance, rows in ended
        if instance.plan.has_datasets
        for row in rows
        if row.state == SUCCESS
        and row.id % ORDINALS == row.node  # of a map: its head
        and (node := instance.plan.nodes[row.node]).produces is not None
    ]
    for tenant, name, task_id, node, instance in sorted(made, key=lambda each: each[:3]):
        dataset: dict[str, Any] = {"tenant": tenant, "name": name}
        tx.run("raise_dataset", series=name.partition("@")[0], **dataset)
        by: dict[str, Any] = {"workflow": instance.plan.workflow.key, "task": node.key, "task_id": task_id}
        tx.run("insert_dataset_version", business_date=instance.facts.business_date, now=tx.now, **dataset, **by)
