"""`--until-idle`: is anything left but rows that wait for a time, a fact or an unknown job? A retry is work begun."""

from datetime import datetime
from typing import TYPE_CHECKING

from qflowd.model.errors import StoreUnavailable

if TYPE_CHECKING:
    from qflowd.daemon.assembly import Daemon


class Idleness:
    """Two looks in a row that find nothing: what was between two tables at the first is seen at the second."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._quiet_looks = 0

    def look(self) -> bool:
        """Look once; True if nothing is left, now and the time before."""
        self._quiet_looks = self._quiet_looks + 1 if _is_nothing_left(self._daemon) else 0
        return self._quiet_looks >= 2


def count_failed(daemon: "Daemon", since: datetime) -> int:
    """How many instances have FAILED since an instant of the database's clock."""
    return int(daemon.store.read(lambda tx: tx.one("count_failed_since", since=since)).failed)


def _is_nothing_left(daemon: "Daemon") -> bool:
    """Looks at the whole database: other daemons' work counts too."""
    if daemon.store.is_replaced:
        return True  # whoever asks it next is told
    if not daemon.is_drained():
        return False
    try:
        store = daemon.store
        left = store.read(lambda tx: tx.one("count_open", now=store.clock.now()))
        if any(left):
            return False
        if store.read(lambda tx: tx.one("find_retry")):
            return False
        ready = store.read(lambda tx: tx.run("list_heads"))
        if not ready:
            return True
        known = {row.job for row in store.read(lambda tx: tx.run("list_live_jobs"))}
        pools = {row.pool for row in store.read(lambda tx: tx.run("list_live_pools"))}
        lanes = store.read(lambda tx: tx.run("load_lanes", rows=[(row.lane,) for row in ready]))
    except StoreUnavailable:
        return False
    # Of itself the daemon knows better: others may have taken it for dead a moment ago.
    return not any((row.job in known and row.pool in pools) or daemon.can_run(row.job, row.pool) for row in lanes)
