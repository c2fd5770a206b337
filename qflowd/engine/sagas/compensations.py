"""Compensations: rows that undo what a task of their instance did. They are claimed, run and retried as tasks are.

What a compensation is given: the params of its task that it has parameters for, and `output`, null if the task has none.
"""

from collections.abc import Sequence
from typing import Any

from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.finishing.advance import Edges, EndedRow, Sums
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.plan import Plan, by_name
from qflowd.engine.plans.scope import load_items, load_outputs, scope_of
from qflowd.engine.plans.upstreams import load_large
from qflowd.engine.request import NO_OVERRIDE
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.engine.running.singly import RowInputs, prepare_singly
from qflowd.model import jsontext
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from qflowd.model.workflow import BUILT_IN, Json, Saga, Settings
from qflowd.store.tx import Tx

FAVOURABLE = (TaskState.SUCCESS, TaskState.SKIPPED)  # a link ends SKIPPED; so does a job that finds nothing to undo


def prepare(dispatch: Dispatch, tx: Tx, claim: Claim) -> Shipment:
    """Read and render the inputs of claimed compensations."""
    undone = {row.task_id: row for row in tx.run("load_undone", rows=sorted((row.id,) for row in claim.rows))}

    def inputs_of(row: Claimed, instance: LoadedInstance) -> RowInputs:
        params = _params(tx, dispatch.instances, instance, claim.lane, undone[row.id])
        settings = settings_of(instance.plan, claim.lane.job.settings, dispatch.timeout_s)
        return RowInputs(jsontext.dump(params), settings)

    return prepare_singly(dispatch, tx, claim, inputs_of)


def add_arrivals(sums: Sums, _: LoadedInstance, rows: Sequence[EndedRow], edges: Edges) -> None:
    """What ended compensations bring to those that wait for them."""
    states = {row.id: row.state for row in rows}
    for parent, child in edges.children(sorted(states)):
        gain = int(states[parent] in FAVOURABLE)
        sums.add(child, 1, gain, 1 - gain)


def count_closers(_: Plan, rows: Sequence[EndedRow]) -> int:
    """The instance waits for each of them by itself."""
    return len(rows)


def settings_of(plan: Plan, of_job: Settings, timeout_s: float | None) -> Settings:
    """All levels of a compensation's settings: saga, its own job, workflow, daemon, built-in.

    One that fails does not wait for a person by itself: its instance does, as COMPENSATION_FAILED.
    """
    saga = plan.workflow.saga or Saga()
    outer = plan.workflow.defaults.over(Settings(timeout=timeout_s)).over(BUILT_IN)
    return Settings(retries=saga.retries, retry="automatic").over(of_job).over(outer)


def _params(tx: Tx, instances: Instances, instance: LoadedInstance, lane: Lane, undone: Any) -> dict[str, Json]:
    """What the job of `lane` is given to undo a row of `load_undone`."""
    node = instance.plan.nodes[undone.node]
    override = instance.overrides.get(node.key, NO_OVERRIDE)
    if undone.params is not None:  # of a spawned task; overrides are of nodes
        params, override = jsontext.parse(undone.params, "params"), NO_OVERRIDE
    elif node.params is None:
        params = dict(instance.params)
    else:
        wanted = {instance.id * ORDINALS + source for source in node.named}
        outputs = load_outputs(tx, instances, [(number, undone.round) for number in sorted(wanted)], wanted)
        scope, index = scope_of(instance, outputs), undone.map_index
        if index is not None and node.uses_item:
            items = load_items(tx, instances, instance, node, undone.id - index, undone.round)
            scope = items.scope(scope, index)
        elif index is not None:
            scope = {**scope, "index": index}
        params = node.params.render(scope)
    output = undone.output or (load_large(tx, undone) if undone.large_id is not None else None)
    params = {**params, **override.params, "output": None if output is None else jsontext.parse(output, "output")}
    return by_name(lane.job, params)
