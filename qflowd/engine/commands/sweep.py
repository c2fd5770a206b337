"""Sweep: what a command has flagged on an instance, or on a task of it, is done to the rows in parts, until none is left.

The flag is committed alone, so the command is answered at once, and whoever looks knows. Any daemon may sweep any part,
at any time, again. Between parts of a large instance the sweep rests, so that others can write.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from qflowd.engine.commands import pause, pause_task, terminate
from qflowd.engine.service import Topics, report
from qflowd.model.errors import RowsLocked
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


class IntentSweep(NamedTuple):
    """How an intent is carried out. `rows`: on a range of task ids; `end`: with the instance locked, after the last part.

    `end` settles the instance if nothing stands in the way; it returns how many rows do.
    """

    rows: Callable[[Tx, int, int], None]
    end: Callable[[Tx, Any], int]
    topics: tuple[str, ...]  # after a part


INTENTS: Mapping[int, IntentSweep] = {
    Intent.TERMINATE: IntentSweep(terminate.cancel_rows, terminate.end_terminated, ()),
    Intent.FINALLY: IntentSweep(terminate.start_finally_rows, terminate.end_terminated, ("ready", "child")),
    Intent.ABORT: IntentSweep(terminate.cancel_rows, terminate.end_terminated, ()),
    Intent.PAUSE: IntentSweep(pause.hold_rows, pause.end_pausing, ()),
    Intent.RESUME: IntentSweep(pause.free_rows, pause.end_resuming, ("ready", "child")),
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


def sweep_last(tx: Tx, instance_id: int, intent: int, first: int, last: int) -> int:
    """Sweep the last rows of an instance, or all, and settle it. Returns how many rows still stand in the way."""
    instance = sweep_part(tx, instance_id, intent, first, last)
    return 0 if instance is None else INTENTS[intent].end(tx, instance)


class SweepTarget(NamedTuple):
    """Rows to be swept: all of an instance, or those of one task that was paused or resumed."""

    key: tuple[int, ...]  # names what was asked: another command has another
    instance_id: int
    ordinals: int  # of the instance: how many there are to go through
    part: Callable[[Tx, int, int], Any]  # sweeps a range of task ids
    last: Callable[[Tx, int, int], int]  # sweeps the last range and settles it; returns how many rows stand in the way
    topics: tuple[str, ...]
    is_end: bool = False  # the instance ends with it


def of_instance(row: Any) -> SweepTarget:
    """The sweep of an instance; `row`: of `list_intents`."""

    def part(tx: Tx, first: int, last: int) -> Any:
        return sweep_part(tx, row.id, row.intent, first, last)

    def last(tx: Tx, first: int, last: int) -> int:
        return sweep_last(tx, row.id, row.intent, first, last)

    topics, is_end = INTENTS[row.intent].topics, Intent(row.intent).is_end
    return SweepTarget((row.id, row.intent), row.id, row.next_ordinal, part, last, topics, is_end)


def of_task(row: Any) -> SweepTarget:
    """The sweep of one task; `row`: of `list_task_sweeps`."""
    key = number, node, command_id = row.instance_id, row.node, row.command_id

    def part(tx: Tx, first: int, last: int) -> None:
        pause_task.align_rows(tx, number, node, first, last)

    def last(tx: Tx, first: int, last: int) -> int:
        part(tx, first, last)
        # Unless a newer command has asked for another.
        tx.run("end_task_sweep", instance_id=number, node=node, command_id=command_id)
        return 0

    return SweepTarget(key, number, row.next_ordinal, part, last, ("ready",))


class Sweep:
    """The service that carries out what instances and tasks are flagged for, whichever daemon runs them."""

    name: ClassVar[str] = "sweep"
    topics: ClassVar[tuple[str, ...]] = ("intent",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._places: dict[tuple[int, ...], int] = {}  # key of a target -> the first ordinal not swept yet

    def tick(self) -> float:
        names = ("list_intents", "list_task_sweeps", "list_ended_pauses")
        intents, tasks, ended = self._store.read(lambda tx: [tx.run(name) for name in names])
        if ended:
            self._store.transact(lambda tx: pause_task.end_pauses(tx, ended), name="end_pauses")
        targets = [of_instance(row) for row in intents if row.intent in INTENTS] + [of_task(row) for row in tasks]
        keys = {target.key for target in targets}
        self._places = {key: place for key, place in self._places.items() if key in keys}
        began = boottime()
        left = [self._step(target) for target in targets]
        took_s = boottime() - began
        if gone := sum(target.is_end and rows == 0 for target, rows in zip(targets, left, strict=True)):
            self._store.instruments.emit(InstancesTerminated(gone))
            self._topics.publish(
                "turn", "backfill", "compensate"
            )  # one that ran out of its timeout may have to be undone
        if None in left:
            parts: int = sum(-(-target.ordinals // PART) for target in targets)
            return min(took_s * REST, RESTS_S / parts)
        if not any(left):
            return IDLE_S
        # A row may have been claimed between the flag and the sweep: the daemons that hold one look again.
        self._topics.publish("stopping")
        return BUSY_S

    def _step(self, target: SweepTarget) -> int | None:
        """Sweep a part of a target. Returns how many rows it still waits for; None: parts are left."""
        place = self._places.pop(target.key, 0)
        rows = key_range(target.instance_id)
        first, last = rows["first"] + place, rows["last"]  # with the last part, rows that were added meanwhile
        left: int | None = None
        try:
            if place + PART < target.ordinals:
                self._store.transact(lambda tx: target.part(tx, first, first + PART - 1), name="sweep_part")
                self._places[target.key] = place + PART
            else:
                left = self._store.transact(lambda tx: target.last(tx, first, last), name="sweep")
        except RowsLocked as error:
            report(f"sweep of instance {target.instance_id}", error, BUSY_S)
            self._places[target.key] = place
            return 1
        self._topics.publish(*target.topics)
        return left
