"""Rows whose params are their own, prepared one by one: compensations and spawned tasks. They are few."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.claiming.lanes import Terms
from qflowd.engine.plans.gather import Unrenderable
from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.render import Group
from qflowd.engine.plans.upstreams import Upstream, Upstreams
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.model.ids import instance_of
from qflowd.model.workflow import Settings
from qflowd.store.tx import Tx
from qflowd.workers.wire import Assignment


class RowInputs(NamedTuple):
    """What a row is run with: params as JSON text, all levels of its settings, and outputs of what it comes after."""

    params: str
    settings: Settings
    upstream: Upstream | None = None


def prepare_singly(
    dispatch: Dispatch, tx: Tx, claim: Claim, inputs_of: Callable[[Claimed, LoadedInstance], RowInputs]
) -> Shipment:
    """A claim on its way to the workers; `inputs_of` may raise whatever keeps its row from being sent."""
    lane, rows = claim.lane, claim.rows
    # Whoever was claimed for the first time has no checkpoint.
    again = sorted((row.id,) for row in rows if row.fence > 1)
    saved = {row.task_id: row.value for row in tx.run("load_checkpoints", rows=again)} if again else {}
    groups: dict[tuple[float | None, int | None], Group] = {}
    failed: list[Unrenderable] = []
    for row in rows:
        try:
            instance = dispatch.instances[instance_of(row.id)]
            inputs = inputs_of(row, instance)
            key = instance.plan.nodes[row.node].key
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the others are sent
            failed.append(Unrenderable(row, error))
            continue
        terms = Terms(lane, inputs.settings)
        group = groups.setdefault((terms.settings.timeout, terms.settings.memory), Group(terms, Upstreams({})))
        upstream = None if inputs.upstream is None else len(group.upstreams)
        if inputs.upstream is not None:
            group.upstreams[len(group.upstreams)] = inputs.upstream
        group.rows.append(row)
        group.row_terms.append(terms)
        task = Assignment(
            row.id, row.fence, row.attempt + 1, key, inputs.params, upstream, saved.get(row.id), row.round
        )
        group.assignments.append(task)
    return Shipment(claim, partial(tuple, (list(groups.values()), failed)))  # type: ignore[arg-type]
