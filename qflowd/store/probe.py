"""Start-up probe: some servers that call themselves compatible take SKIP LOCKED and do something else."""

from qflowd.model.errors import StoreUnsupported
from qflowd.store.tx import Store


def probe_skip_locked(store: Store) -> None:
    """Two sessions ask for two rows each of the same table; they must get different ones.

    Raises: StoreUnsupported naming what the server did. SQLite has one writer, and nothing to probe.
    """
    if not store.dialect.has_row_locks:
        return
    statement = store.catalog["probe_lock"]
    first, second = store.dialect.connect(), store.dialect.connect()
    try:
        first.begin()
        second.begin()
        mine = {tuple(row) for row in first.run(statement, {}, ())}
        theirs = {tuple(row) for row in second.run(statement, {}, ())}
        if len(mine) != 2 or len(theirs) != 2 or mine & theirs:
            msg = f"{store.dialect.describe()} does not honour FOR UPDATE SKIP LOCKED with LIMIT: {mine} and {theirs}"
            raise StoreUnsupported(msg)
        first.rollback()
        second.rollback()
    finally:
        first.close()
        second.close()
