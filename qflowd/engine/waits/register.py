"""Register: a task whose turn has come begins to wait. Committed before the fact is looked up: no wake-up is lost.

One transaction: the rows are locked, those that others have taken are left out → parked (PENDING, without a timer of their
own, owned by nobody, with a new fence) → a row of `waiter` each → what daemons look for → timers of deadlines.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from qflowd.engine.caches import LaneKey
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.finishing.timers import WAIT
from qflowd.engine.maps.item_lanes import settings_of
from qflowd.engine.plans.gather import Unrenderable, gather
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.scope import check_conditions, scope_of
from qflowd.engine.refusal import no_such_workflow
from qflowd.engine.waits import facts
from qflowd.engine.waits.fact import WaitTerms
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed, Unreadable
from qflowd.model.states import FactKind, WaitState
from qflowd.model.workflow import WAIT_POOL, Job
from qflowd.store.tx import Store, Tx

ITSELF = "wait_for.workflow: is this workflow itself, for the date of this instance: name another `business_date`"


class Ready(NamedTuple):
    """A row that is to wait, and for what. `pool`: in which its job will run; "" where it has none."""

    row: Claimed
    instance: LoadedInstance
    kind: FactKind
    waiting: WaitTerms
    pool: str


def lane_of(row: Any) -> Lane:
    """The lane of a row of `list_unclaimed`."""
    job = Job(name=row.job or "wait", module="", file="", hash="")
    return Lane(row.lane, LaneKey(row.tenant, WAIT_POOL, row.job), job, None)


def render(tx: Tx, instances: Instances, lane: Lane, rows: Sequence[Claimed]) -> tuple[list[Ready], list[Unrenderable]]:
    """What rows of one lane are to wait for, and those that end instead or that this daemon cannot read."""
    instances.load_claimed(tx, rows)
    gathered = gather(tx, instances, (lane, rows))
    ready, failed = [], gathered.failed
    for _, places in gathered.parts:
        for row, instance, node in places:
            try:
                ready.append(_ready(tx, instances, row, instance, node, gathered.outputs))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the others wait
                failed.append(Unrenderable(row, error))
    ready, vain = _without_vain(tx, lane, ready)
    return ready, failed + vain


def _without_vain(tx: Tx, lane: Lane, ready: list[Ready]) -> tuple[list[Ready], list[Unrenderable]]:
    """Apart: those that would wait for a workflow that cannot succeed. Each workflow is looked up once."""
    awaited = {each.row.id: each.waiting.name for each in ready if each.kind is FactKind.WORKFLOW}
    why_not = {name: _why_not_awaited(tx, lane.key.tenant, name) for name in sorted(set(awaited.values()))}
    vain = {number: why for number, name in awaited.items() if (why := why_not[name])}
    failed = [Unrenderable(each.row, ExpressionFailed(vain[each.row.id])) for each in ready if each.row.id in vain]
    return [each for each in ready if each.row.id not in vain], failed


def _why_not_awaited(tx: Tx, tenant: str, workflow: str) -> str | None:
    """Why it makes no sense to wait for a workflow: it is unknown or archived."""
    definition = tx.one("find_definition", tenant=tenant, workflow=workflow)
    if definition is None:
        return f"wait_for.workflow: {no_such_workflow(tx, tenant, workflow)}"
    if definition.archived_at is None:
        return None
    back = f"`qflowd workflows unarchive {workflow}` brings it back"
    return f"wait_for.workflow: workflow {workflow!r} is archived; {back}"


def _ready(tx: Tx, instances: Instances, row: Claimed, instance: LoadedInstance, node: Node, outputs: Any) -> Ready:
    """Raises: ExpressionFailed; Unwanted; SkippedByPerson; Unreadable."""
    scope = scope_of(instance, outputs)
    check_conditions(instance, node, scope, outputs)
    if node.wait is None:
        raise Unreadable(f"task {node.key} waits for what only a newer qflowd knows")
    day = instance.facts.business_date
    kind, waiting = facts.begin({"business_date": day} | node.wait.render(scope), tx.now)
    awaited = (waiting.name, waiting.business_date)
    if kind is FactKind.WORKFLOW and awaited == (instance.facts.workflow, day):
        raise ExpressionFailed(ITSELF)
    pool = str(settings_of(tx, instances, instance, node).pool) if node.job and kind is FactKind.FILE else ""
    return Ready(row, instance, kind, waiting, pool)


def register(store: Store, lane: Lane, ready: Sequence[Ready]) -> int:
    """Have these rows wait, except those that changed hands. Returns how many do.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    return store.transact(lambda tx: _register(tx, lane, ready), name="register_waits")


def _register(tx: Tx, lane: Lane, ready: Sequence[Ready]) -> int:
    wanted = sorted((each.row.id, each.row.fence) for each in ready)
    free = {row.id for row in tx.run("take_ready_waits", rows=wanted)}
    mine = sorted((each for each in ready if each.row.id in free), key=lambda each: each.row.id)
    if not mine:
        return 0
    tx.run("rearm_tasks", rows=[(row.id, row.fence, row.attempt, 0) for row, *_ in mine])
    tx.run("save_waiters", rows=[_waiter_row(each, lane.id) for each in mine], now=tx.now)
    if looks := [_look_row(each) for each in mine if each.waiting.wanted]:
        tx.run("save_looks", rows=looks)
    if timers := [
        (row.id, WAIT, row.fence + 1, waiting.deadline_at)
        for row, _, _, waiting, _ in mine
        if waiting.deadline_at is not None
    ]:
        tx.run("insert_timers", rows=timers)
    return len(mine)


def _waiter_row(each: Ready, lane: int) -> tuple[Any, ...]:
    row, instance, kind, waiting, _ = each
    day = waiting.business_date or instance.facts.business_date
    state = WaitState.NEW if kind is FactKind.SIGNAL else WaitState.WAITING
    about = (instance.tenant, int(kind), waiting.name, day, int(state))
    return (row.id, row.fence + 1, *about, waiting.subject, waiting.deadline_at, waiting.default_answer, lane)


def _look_row(each: Ready) -> tuple[Any, ...]:
    return (each.row.id, each.row.fence + 1, each.pool, jsontext.dump(each.waiting.wanted))
