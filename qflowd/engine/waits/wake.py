"""Wake: what becomes of tasks whose fact has come, or whose time is over.

One that has a job stands in its own lane from then on; one that only waits ends, as do those whose deadline has passed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from qflowd.engine.caches import LaneIds, LaneKey
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import AttemptRow, FinalRow
from qflowd.engine.maps.item_lanes import settings_of
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.engine.waits import facts, successes
from qflowd.engine.waits.fact import WaitEnd
from qflowd.model import jsontext
from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.model.states import TaskKind, TaskState
from qflowd.model.workflow import NO_POOL
from qflowd.store.clock import to_microseconds
from qflowd.store.tx import Store, Tx

Key = tuple[int, int]  # of a waiter: the id of its task, and its fence


class Woken(NamedTuple):
    """What is to be done about rows of `list_woken`.

    `runs`: (task, fence, lane) of those that may be claimed now. `batch`: how the others end, and `ended`: their waiters.
    `gone`: waiters whose rows wait no more. `unreadable`: tasks that are left to another daemon, and why.
    """

    runs: list[tuple[int, int, LaneKey]]
    batch: Batch
    ended: list[Key]
    gone: list[Key]
    unreadable: dict[int, QflowdError]


def judge(tx: Tx, instances: Instances, rows: Sequence[Any]) -> Woken:
    """What becomes of these rows of `list_woken`. `instances` have been loaded, those that succeeded as well."""
    woken = Woken([], Batch(), [], [], {})
    of_successes: dict[int, WaitEnd] = {}
    for row in rows:
        if row.now_fence != row.fence:
            woken.gone.append((row.id, row.fence))
            continue
        try:
            instance = instances[instance_of(row.id)]
            node = instance.plan.nodes[row.node]
            if node.task.wait_for is None:
                woken.gone.append((row.id, row.fence))
                continue
            end = facts.of_kind(row.fact).end(node.task.wait_for, row)
            if end.state is TaskState.SUCCESS and not node.task.only_waits:
                pool = NO_POOL if node.task.workflow else str(settings_of(tx, instances, instance, node).pool)
                woken.runs.append((row.id, row.fence, LaneKey(row.tenant, pool, row.job, row.limits)))
                continue
            if row.success_id is not None:
                end = successes.with_output(tx, instances, row, of_successes)
        except StoreUnavailable:
            raise
        except QflowdError as error:
            woken.unreadable[row.id] = error
            continue
        _add_end(woken.batch, row, end, tx.now)
        woken.ended.append((row.id, row.fence))
    return woken


def _add_end(batch: Batch, row: Any, end: WaitEnd, now: Any) -> None:
    attempt = row.attempt + 1
    values = (row.id, row.fence, int(end.state), int(end.reason), attempt, None, to_microseconds(row.began_at))
    batch.final.append(FinalRow(*values, end.output, row.node, row.kind, row.round))
    if end.state is not TaskState.SUCCESS:
        error = jsontext.clean_text(end.error or "")[:LONGEST_ERROR]
        about = (row.id, row.fence, attempt, int(end.state), int(end.reason), row.began_at, now)
        batch.attempts.append(AttemptRow(*about, error=error))


def let_run(store: Store, lanes: LaneIds, woken: Woken) -> None:
    """Put tasks into their own lanes, and end what waits no more.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    lanes.ensure(lane for _, _, lane in woken.runs)
    rows = sorted((number, fence, lanes.id(lane)) for number, fence, lane in woken.runs)
    over = sorted([*((number, fence) for number, fence, _ in woken.runs), *woken.gone])

    def write(tx: Tx) -> None:
        if rows:
            tx.run("wake_tasks", rows=rows, now=tx.now)
        tx.run("end_waiters", rows=over)

    if over:
        store.transact(write, name="wake_tasks")


def starts_more(rows: Sequence[Any], woken: Woken) -> bool:
    """Are there rows among those that may run that start workflows?"""
    running = {number for number, *_ in woken.runs}
    return any(row.id in running and row.kind == TaskKind.CHILD for row in rows)
