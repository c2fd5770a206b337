"""Task sweep: after a command has paused or resumed a task, the rows of its node become HELD or READY, in parts."""

from typing import Any, ClassVar

from qflowd.engine.commands.pause_task import align_rows
from qflowd.engine.commands.sweep import IDLE_S, PART, REST, RESTS_S
from qflowd.engine.service import Topics
from qflowd.model.ids import key_range
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx


class TaskSweep:
    """The service that carries out pauses of tasks, whichever daemon runs their instances."""

    name: ClassVar[str] = "task_sweep"
    topics: ClassVar[tuple[str, ...]] = ("intent",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._places: dict[tuple[int, int, int], int] = {}  # what was asked -> the first ordinal not swept yet

    def tick(self) -> float:
        rows, ended = self._store.read(lambda tx: (tx.run("list_task_sweeps"), tx.run("list_ended_pauses")))
        if ended:
            self._store.transact(lambda tx: end_pauses(tx, ended), name="end_pauses")
        asked = {_key(row) for row in rows}
        self._places = {key: place for key, place in self._places.items() if key in asked}
        began = boottime()
        for row in rows:
            self._step(row)
        took_s = boottime() - began
        if rows:
            self._topics.publish("ready")
        if not self._places:
            return IDLE_S
        parts: int = sum(-(-row.next_ordinal // PART) for row in rows)
        return min(took_s * REST, RESTS_S / parts)

    def _step(self, row: Any) -> None:
        """Sweep a part of one node's rows; with the last one, it is done."""
        place = self._places.pop(_key(row), 0)
        first, last = key_range(row.instance_id)["first"] + place, place + PART

        def sweep_task(tx: Tx) -> None:
            align_rows(tx, row.instance_id, row.node, first, first + PART - 1)
            if last >= row.next_ordinal:
                tx.run(
                    "end_task_sweep", instance_id=row.instance_id, node=row.node, command_id=row.command_id
                )  # unless a newer command has asked for another

        self._store.transact(sweep_task, name="sweep_task")
        if last < row.next_ordinal:
            self._places[_key(row)] = last


def end_pauses(tx: Tx, ended: list[Any]) -> None:
    """The pause of a task ends with its instance; `ended`: rows of `list_ended_pauses`."""
    for row in ended:
        tx.run("resume_task", **row._asdict())


def _key(row: Any) -> tuple[int, int, int]:
    return row.instance_id, row.node, row.command_id
