"""`--until-idle`: is anything left but rows that wait for a time, a fact, a person or an unknown job? A retry is work begun."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.model.names import shown_name
from qflowd.model.rates import shortfalls

if TYPE_CHECKING:
    from qflowd.daemon.daemon import Daemon
    from qflowd.store.tx import Tx

log = logging.getLogger("qflowd")
CHECK_S: Final = 0.05
QUIET_LOOKS: Final = 2  # in a row: what was between two tables at the first is seen at the second


def wait_until_idle(daemon: "Daemon", is_over: Callable[[], bool]) -> bool:
    """Wait until nothing is left to do; False if `is_over` before that."""
    quiet_looks = 0
    while quiet_looks < QUIET_LOOKS:
        if is_over():
            return False
        time.sleep(CHECK_S)
        quiet_looks = quiet_looks + 1 if is_nothing_left(daemon) else 0
    return True


def report_outcome(daemon: "Daemon", since: datetime) -> bool:
    """Log what is left that only a person can let begin.

    Returns: whether some of it never can, or an instance has FAILED since an instant of the database's clock.
    """
    limits = sorted(daemon.store.read(_blocking_limits), key=_reason)
    for (_, there), (first, *others) in groupby(limits, key=_reason):
        log.log(logging.ERROR if there else logging.WARNING, "%s", _sentence(daemon, first, len(others)))
    failed = daemon.store.read(lambda tx: tx.one("count_failed_since", since=since)).failed
    return bool(failed) or any(map(_too_few, limits))


def is_nothing_left(daemon: "Daemon") -> bool:
    """Looks at the whole database: other daemons' work counts too."""
    store = daemon.store
    if store.is_replaced:
        return True  # the next statement raises
    if not daemon.is_drained():
        return False
    try:
        *open_work, ready_lanes = store.read(lambda tx: tx.one("count_open", now=store.clock.now()))
        if any(open_work) or store.read(daemon.fact_starts.is_any_left):
            return False
        lanes = store.read(lambda tx: tx.run("list_ready_lanes"))
        blocked = {row.lane for row in store.read(_blocking_limits)}
    except StoreUnavailable:
        return False
    # For its own jobs the daemon need not ask: others may have marked it dead a moment ago.
    can_run = (lane.is_live or daemon.can_run(lane.job, lane.pool) for lane in lanes if lane.id not in blocked)
    return len(lanes) == ready_lanes and not any(can_run)


def _blocking_limits(tx: "Tx") -> list[Any]:
    """Rows of `list_blocking_limits`: of each lane, the limits that let nothing of it begin."""
    return [row for row in tx.run("list_blocking_limits") if row.is_paused or _too_few(row)]


def _too_few(row: Any) -> str:
    """What a limit has, where that is less than a task takes; "" where it is enough."""
    return next(shortfalls(row.weight, row.capacity, row.rates), "")


def _reason(row: Any) -> tuple[str, str]:
    return row.name, _too_few(row)


def _sentence(daemon: "Daemon", row: Any, other_lanes: int) -> str:
    """Which tasks wait for a limit, why for ever, and what a person can do."""
    ready = daemon.store.read(lambda tx: tx.one("count_ready_of_lane", lane=row.lane))
    task, instance = None, 0
    if ready.first is not None:
        instance = instance_of(ready.first)
        key = {"id": ready.first, "instance_id": instance, "tenant": row.tenant}
        task = daemon.store.read(lambda tx: tx.one("show_task", **key))
    others = " and others" if ready.tasks > 1 or other_lanes else ""
    what = "tasks" if task is None else f"task {shown_name(task)} of instance {instance}{others}"
    if there := _too_few(row):
        remedy = f"let it take fewer, or give the limit more: `qflowd limits set {row.name}`"
        return f"{what} can never begin: an attempt takes {row.weight} of limit {row.name}, which has {there}; {remedy}"
    verb = "wait" if task is None or others else "waits"
    return f"{what} {verb} for limit {row.name}, which is paused: `qflowd limits resume {row.name}`"
