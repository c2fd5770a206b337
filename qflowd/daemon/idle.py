"""`--until-idle`: is anything left but rows that wait for a time, a fact or an unknown job? A retry is work begun."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from qflowd.model.errors import StoreUnavailable

if TYPE_CHECKING:
    from qflowd.daemon.assembly import Daemon

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


def count_failed(daemon: "Daemon", since: datetime) -> int:
    """How many instances have FAILED since an instant of the database's clock."""
    return int(daemon.store.read(lambda tx: tx.one("count_failed_since", since=since)).failed)


def is_nothing_left(daemon: "Daemon") -> bool:
    """Looks at the whole database: other daemons' work counts too."""
    store = daemon.store
    if store.is_replaced:
        return True  # the next statement raises
    if not daemon.is_drained():
        return False
    try:
        *open_work, ready_lanes = store.read(lambda tx: tx.one("count_open", now=store.clock.now()))
        if any(open_work):
            return False
        lanes = store.read(lambda tx: tx.run("list_ready_lanes"))
    except StoreUnavailable:
        return False
    # For its own jobs the daemon need not ask: others may have marked it dead a moment ago.
    return len(lanes) == ready_lanes and not any(lane.is_live or daemon.can_run(lane.job, lane.pool) for lane in lanes)
