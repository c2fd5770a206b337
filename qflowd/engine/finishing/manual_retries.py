"""Manual retries: which rows that have failed wait for a person, asked of the database where a failure comes from elsewhere.

An attempt knows its settings. What fails after it has ended (a result that cannot be written, a spawn that is refused, a
daemon that was lost too often) is looked up here, as rarely as that is.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from qflowd.engine.maps.item_lanes import settings_of
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.plan import spawned_settings
from qflowd.model.errors import Unreadable
from qflowd.model.ids import instance_of
from qflowd.model.states import TaskKind
from qflowd.model.workflow import Settings
from qflowd.store.tx import Tx


def find_manual(tx: Tx, instances: Instances, rows: Sequence[Any]) -> set[int]:
    """Ids of those of these rows (id, node, kind) whose tasks have `retry: manual`; one that cannot be read has not."""
    if not rows:
        return set()
    instances.load(tx, [row.id for row in rows])
    asked = {row.task_id: row for row in tx.run("load_spawned_settings", rows=sorted((row.id,) for row in rows))}
    manual = set()
    for row in rows:
        try:
            instance = instances[instance_of(row.id)]
        except Unreadable:
            continue
        settings = Settings()
        if row.kind == TaskKind.TASK:
            settings = settings_of(tx, instances, instance, instance.plan.nodes[row.node])
        elif row.id in asked:
            job = instances.jobs.get(tx, asked[row.id].job)
            own = msgspec.json.decode(asked[row.id].settings, type=Settings)
            settings = spawned_settings(instance.plan, own, job.settings if job else Settings(), Settings())
        if settings.retry == "manual":
            manual.add(row.id)
    return manual
