"""Start-up probe: some servers that call themselves compatible take SKIP LOCKED and do something else."""

import time
from contextlib import closing

from qflowd.model.errors import StoreUnsupported
from qflowd.store.dialects.base import Connection, opening
from qflowd.store.tx import Store

TRIES, PAUSE_S = 8, 0.1


def probe_skip_locked(store: Store) -> None:
    """Two sessions ask for two rows each of the same table; they must get different ones.

    Raises: StoreUnsupported naming what the server did; StoreUnavailable. SQLite has one writer, and nothing to probe.
    """
    if not store.dialect.has_row_locks:
        return
    mine: set[tuple[int, ...]] = set()
    theirs: set[tuple[int, ...]] = set()
    with closing(store.dialect.connect()) as first, closing(store.dialect.connect()) as second, opening(first):
        for _ in range(TRIES):
            mine, theirs = _ask(store, first), _ask(store, second)
            first.rollback()
            second.rollback()
            if len(mine) == len(theirs) == 2 and not mine & theirs:
                return
            if mine & theirs or len(mine) > 2 or len(theirs) > 2:
                break
            time.sleep(PAUSE_S)  # too few: other daemons that start now hold the rest
    raise StoreUnsupported(
        f"{store.dialect.describe()} does not honour FOR UPDATE SKIP LOCKED with LIMIT: {mine} and {theirs}"
    )


def _ask(store: Store, session: Connection) -> set[tuple[int, ...]]:
    session.begin()
    return {tuple(row) for row in session.run(store.catalog["probe_lock"], {}, ())}
