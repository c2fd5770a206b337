"""`--until-idle`: is anything left but rows that wait for a time, a fact or an unknown job?"""

from qflowd.daemon.assembly import Daemon
from qflowd.model.errors import StoreUnavailable


def is_nothing_left(daemon: Daemon) -> bool:
    """Looks at the whole database: other daemons' work counts too."""
    if not daemon.is_drained():
        return False
    try:
        store = daemon.store
        left = store.read(lambda tx: tx.one("count_open", now=store.clock.now()))
        if any(left):
            return False
        ready = store.read(lambda tx: tx.run("list_heads"))
        if not ready:
            return True
        known = {row.job for row in store.read(lambda tx: tx.run("list_live_jobs"))}
        pools = {row.pool for row in store.read(lambda tx: tx.run("list_live_pools"))}
        lanes = store.read(lambda tx: tx.run("list_ready_lanes", rows=[(row.lane,) for row in ready]))
    except StoreUnavailable:
        return False
    return not any(lane.job in known and lane.pool in pools for lane in lanes)
