"""Terminate: flag, then sweep. The flag is committed alone; from then on rows are cancelled until none is left.

What a daemon holds is ended by that daemon: it sees the flag, stops the workers, and the results arrive as CANCELLED, or
as SUCCESS where they were quicker. The sweep never counts closers down: an instance that is being terminated ends when
it has no open row left.
"""

from typing import Any, ClassVar

from qflowd.engine import close
from qflowd.engine.control import Caches, CarriedOut, Command, NotPossible, one_instance, state_name, verb
from qflowd.engine.service import Topics
from qflowd.model.ids import key_range
from qflowd.model.instruments import InstancesTerminated
from qflowd.model.states import InstanceState, Intent
from qflowd.store.tx import Retryable, Store, Tx

CHUNK = 5000  # rows swept in one transaction
BUSY_S = 0.2  # between rounds while something held has still to end
IDLE_S = 10.0


@verb("terminate", needs=one_instance, not_possible="instance {id} has ended already: it is {state}")
def terminate(tx: Tx, _: Command, target: Any, __: Caches) -> CarriedOut:
    """Have an instance end: flag it; the sweep follows. One that has not begun is TERMINATED at once.

    Raises: NotPossible if it has ended already.
    """
    number = target.id
    if tx.count("terminate_held_instance", id=number, now=tx.now):
        return CarriedOut({"instance_id": number, "state": state_name(InstanceState.TERMINATED)})
    if not tx.count("flag_terminate", id=number):
        instance = tx.one("lock_instance", id=number)
        if InstanceState(instance.state).is_final:
            raise NotPossible(id=number, state=state_name(instance.state))
    return CarriedOut({"instance_id": number, "intent": Intent.TERMINATE.name}, ("intent",))


def expire(tx: Tx, instance_id: int) -> None:
    """The deadline of an instance is over: if it still runs, it is terminated, and ends FAILED with the reason timeout."""
    tx.run("flag_expired", id=instance_id, now=tx.now)


def sweep_instance(tx: Tx, instance_id: int) -> int:
    """Cancel all rows of an instance that is being terminated, except held ones; end it if no row is open.

    Does nothing to an instance that is not being terminated. May be called by any daemon, at any time, again.

    Returns: how many rows are still open, because a daemon holds them.
    """
    rows = key_range(instance_id)
    instance = sweep_rows(tx, instance_id, **rows)
    if instance is None:
        return 0
    open_tasks = int(tx.one("count_open_tasks", **rows).open_tasks)
    if not open_tasks:
        close.end_instances(tx, [instance])
    return open_tasks


def sweep_rows(tx: Tx, instance_id: int, first: int, last: int) -> Any:
    """The same for a range of task ids, not ending the instance. Returns it, locked; None if it is not terminating."""
    [instance] = tx.run("load_instances", rows=[(instance_id,)]) or [None]
    if instance is None or instance.intent != Intent.TERMINATE:
        return None
    tx.run("cancel_tasks", first=first, last=last, now=tx.now)
    tx.run("delete_instance_timers", first=first, last=last)
    # Last of all. If it ended and was retried meanwhile, what was swept was not ours to sweep.
    instance = tx.one("lock_instance", id=instance_id)
    if instance is None or instance.intent != Intent.TERMINATE:
        raise Retryable(f"instance {instance_id} ended while it was swept")
    return instance


class Terminate:
    """The service that ends the instances that are being terminated, whichever daemon ran them."""

    name: ClassVar[str] = "terminate"
    topics: ClassVar[tuple[str, ...]] = ("intent",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics

    def tick(self) -> float:
        terminating = self._store.read(lambda tx: tx.run("list_intents"))
        closed = [row.id for row in terminating if not self._sweep(row)]
        if closed:
            self._store.instruments.emit(InstancesTerminated(len(closed)))
        if len(closed) == len(terminating):
            return IDLE_S
        # A row may have been claimed between the flag and the sweep: the daemons that hold one look again.
        self._topics.publish("stopping")
        return BUSY_S

    def _sweep(self, row: Any) -> int:
        """Returns how many rows are still open."""
        first = key_range(row.id)["first"]
        if row.next_ordinal > CHUNK:
            for start in range(first, first + row.next_ordinal, CHUNK):
                self._store.transact(
                    lambda tx, start=start: sweep_rows(tx, row.id, start, start + CHUNK - 1),  # type: ignore[misc]
                    name="sweep_part",
                )
        return self._store.transact(lambda tx: sweep_instance(tx, row.id), name="sweep")
