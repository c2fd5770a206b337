"""Spawned tasks: rows that a task asked for while it ran. They are claimed, run and retried as tasks are."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.finishing.advance import Edges, EndedRow, Sums
from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.plan import Plan, spawned_settings
from qflowd.engine.plans.upstreams import LARGEST_SENT, Large, Output, Upstream
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.engine.running.singly import RowInputs, prepare_singly
from qflowd.model import jsontext
from qflowd.model.rules import FAVOURABLE, Worth, item_worth, worth
from qflowd.model.states import SUCCESS, Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.tx import Tx

_decode_settings = msgspec.json.Decoder(Settings).decode


def prepare(dispatch: Dispatch, tx: Tx, claim: Claim) -> Shipment:
    """Read what the claimed tasks were asked for with, and the outputs of those that they come after."""
    ids = sorted((row.id,) for row in claim.rows)
    asked = {row.task_id: row for row in tx.run("load_spawned", rows=ids)}
    sources: dict[int, dict[str, Output]] = {}
    for source in tx.run("load_spawned_sources", rows=ids):
        sources.setdefault(source.child, {})[source.name] = _output(source)

    def inputs_of(row: Claimed, instance: LoadedInstance) -> RowInputs:
        own = _decode_settings(asked[row.id].settings)
        settings = spawned_settings(instance.plan, own, claim.lane.job.settings, Settings(timeout=dispatch.timeout_s))
        return RowInputs(asked[row.id].params, settings, _upstream(sources.get(row.id)))

    return prepare_singly(dispatch, tx, claim, inputs_of)


def _output(source: Any) -> Output:
    if source.state != SUCCESS:  # a person has skipped it
        return None
    return source.output if source.large_id is None else Large(source.id, source.fence, source.round)


def _upstream(outputs: Mapping[str, Output] | None) -> Upstream | None:
    """As `Upstreams` has it: small outputs travel along, of large ones a number by which the task may ask for them."""
    if outputs is None:
        return None
    sizes = (LARGEST_SENT if isinstance(text, Large) else len(text or "") for text in outputs.values())
    if sum(sizes) < LARGEST_SENT:
        return "{" + ",".join(f"{jsontext.dump(name)}:{text or 'null'}" for name, text in outputs.items()) + "}"
    return {name: hash(text or "null") for name, text in outputs.items()}


def add_arrivals(sums: Sums, _: LoadedInstance, rows: Sequence[EndedRow], edges: Edges) -> None:
    """What ended spawned tasks bring to those that come after them, and to the task that spawned them."""
    ended = {row.id: row for row in rows}
    for parent, child in edges.children(sorted(ended)):
        gain, bad = arrival(ended[parent], parent, child)
        if child < parent:
            sums.add_to_spawner(child, gain, bad)
        else:
            sums.add(child, 1, gain, bad)


def arrival(row: Any, parent: int, child: int) -> Worth:
    """What an ended spawned task brings along an edge; `child` < `parent`: it is the task that spawned it."""
    state = TaskState(row.state)
    if child < parent:
        return item_worth(state)
    return FAVOURABLE if row.reason == Reason.MANUAL else worth(state)


def count_closers(_plan: Plan, _rows: Sequence[EndedRow]) -> int:
    """The instance waits for the task that spawned them."""
    return 0
