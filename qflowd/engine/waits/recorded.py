"""Datasets that are recorded: tasks that wait for one are met, whenever that was.

Who records one says nothing of it, so the end of a task costs no more. Whoever looks sees all waiters and all versions that
were committed before.
"""

from typing import Final

from qflowd.store.tx import Store, Tx

BATCH: Final = 500


def meet(store: Store) -> int:
    """Meet tasks whose dataset has a version, the latest; it is kept with the wait. Returns how many.

    So are those whose time is over, if nobody has ended them yet.
    """
    rows = store.read(lambda tx: tx.run("list_recorded_datasets", batch=BATCH))

    def meet_by_dataset(tx: Tx) -> int:
        return sum(tx.count("meet_by_dataset", now=tx.now, **row._asdict()) for row in rows)

    return store.transact(meet_by_dataset) if rows else 0
