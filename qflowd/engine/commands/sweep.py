"""Sweep: what a command has flagged on an instance is done to its rows, in parts, until none is left.

The flag is committed on the instance alone, so the command is answered at once, and whoever looks knows. Any daemon may
sweep any part, at any time, again. Between parts of a large instance the sweep rests, so that others can write.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from qflowd.engine.commands import pause, terminate
from qflowd.engine.service import Topics
from qflowd.model.ids import key_range
from qflowd.model.instruments import InstancesTerminated
from qflowd.model.states import Intent
from qflowd.store.clock import boottime
from qflowd.store.tx import Retryable, Store, Tx

PART = 2500  # rows swept in one transaction
REST = 3  # after a part: so many times as long as it took …
RESTS_S = 2.0  # … but all rests of one sweep together are no longer than this
BUSY_S = 0.2  # between rounds while something held has still to end
IDLE_S = 10.0


class Carried(NamedTuple):
    """How an intent is carried out. `rows`: on a range of task ids; `end`: with the instance locked, after the last part.

    `end` settles the instance if nothing stands in the way; it returns how many rows do.
    """

    rows: Callable[[Tx, int, int], None]
    end: Callable[[Tx, Any], int]
    topics: tuple[str, ...]  # after a part


INTENTS: Mapping[int, Carried] = {
    Intent.TERMINATE: Carried(terminate.cancel_rows, terminate.end_terminated, ()),
    Intent.FINALLY: Carried(terminate.start_finally_rows, terminate.end_terminated, ("ready", "child")),
    Intent.ABORT: Carried(terminate.cancel_rows, terminate.end_terminated, ()),
    Intent.PAUSE: Carried(pause.hold_rows, pause.end_pausing, ()),
    Intent.RESUME: Carried(pause.free_rows, pause.end_resuming, ("ready", "child")),
}


def sweep_part(tx: Tx, instance_id: int, intent: int, first: int, last: int) -> Any:
    """Sweep the rows with ids from `first` to `last`. Returns the instance, locked; None if that is not its intent."""
    [instance] = tx.run("load_instances", rows=[(instance_id,)]) or [None]
    if instance is None or instance.intent != intent:
        return None
    INTENTS[intent].rows(tx, first, last)
    # Last of all. If it ended or was commanded otherwise meanwhile, what was swept was not ours to sweep.
    instance = tx.one("lock_instance", id=instance_id)
    if instance is None or instance.intent != intent:
        raise Retryable(f"instance {instance_id} was commanded otherwise while it was swept")
    return instance


def sweep_instance(tx: Tx, instance_id: int, intent: int) -> int:
    """Sweep all rows of an instance in one go, and settle it. Returns how many rows still stand in the way."""
    instance = sweep_part(tx, instance_id, intent, **key_range(instance_id))
    return 0 if instance is None else INTENTS[intent].end(tx, instance)


def end_sweep(tx: Tx, instance_id: int, intent: int) -> int:
    """Settle an instance whose parts were swept. Returns how many rows still stand in the way."""
    instance = tx.one("lock_instance", id=instance_id)
    return 0 if instance is None or instance.intent != intent else INTENTS[intent].end(tx, instance)


class Sweep:
    """The service that carries out what instances are flagged for, whichever daemon runs them."""

    name: ClassVar[str] = "sweep"
    topics: ClassVar[tuple[str, ...]] = ("intent",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._places: dict[tuple[int, int], int] = {}  # instance and intent -> the first ordinal not swept yet

    def tick(self) -> float:
        rows = self._store.read(lambda tx: tx.run("list_intents"))
        flagged = [row for row in rows if row.intent in INTENTS]
        keys = {(row.id, row.intent) for row in flagged}
        self._places = {key: place for key, place in self._places.items() if key in keys}
        began = boottime()
        left = [self._step(row) for row in flagged]
        took_s = boottime() - began
        ended = [row for row, rows in zip(flagged, left, strict=True) if Intent(row.intent).is_end and rows == 0]
        if ended:
            self._store.instruments.emit(InstancesTerminated(len(ended)))
            self._topics.publish("turn", "compensate")  # one that ran out of its timeout may have to be undone
        if None in left:
            parts: int = sum(-(-row.next_ordinal // PART) for row in flagged)
            return min(took_s * REST, RESTS_S / parts)
        if not any(left):
            return IDLE_S
        # A row may have been claimed between the flag and the sweep: the daemons that hold one look again.
        self._topics.publish("stopping")
        return BUSY_S

    def _step(self, row: Any) -> int | None:
        """Sweep a part of one instance. Returns how many rows the sweep still waits for; None: parts are left."""
        key = number, intent = row.id, row.intent
        place = self._places.pop(key, 0)
        if row.next_ordinal <= PART:
            left: int | None = self._store.transact(lambda tx: sweep_instance(tx, number, intent), name="sweep")
        elif place < row.next_ordinal:
            first = key_range(number)["first"] + place
            self._store.transact(lambda tx: sweep_part(tx, number, intent, first, first + PART - 1), name="sweep_part")
            self._places[key] = place + PART
            left = None
        else:
            left = self._store.transact(lambda tx: end_sweep(tx, number, intent), name="sweep")
        self._topics.publish(*INTENTS[intent].topics)
        return left
