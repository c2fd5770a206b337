"""Children: instances that tasks of other instances have started (`workflow: NAME`).

Any daemon starts them, ends the tasks that wait for them, and tells them what their parents were told, by commands.
Each step looks at what is in the database, so whatever is missed or killed is done at the next look.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from qflowd.engine.caches import Plans, RegisteredJobs
from qflowd.engine.child_workflows.child_end import batch_of, find_unreadable
from qflowd.engine.child_workflows.child_start import lane_of, start_children
from qflowd.engine.child_workflows.child_undo import undo_children
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.claiming.unclaimed import UnclaimedRows, claimed_of
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.maps import fan_out
from qflowd.engine.plans.gather import Unrenderable
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import refuse
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.service import Place, Topics, UnreadableLog
from qflowd.model.states import Intent, Reason, TaskKind, TaskState
from qflowd.model.workflow import NO_POOL
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import Store, Tx

BATCH: Final = 100
WAITING_S: Final = 1.0  # between looks while some task waits: the daemon that ended its instance may be dead
IDLE_S: Final = 5.0
ACTIONS: Final = {
    Intent.TERMINATE: "terminate",
    Intent.ABORT: "terminate",
    Intent.PAUSE: "pause",
    Intent.RESUME: "resume",
}
REASONS: Final = {
    Intent.TERMINATE: "the task that started it was terminated, skipped or run again",
    Intent.ABORT: "the instance that started it was terminated a second time",
    Intent.PAUSE: "the instance that started it is paused",
    Intent.RESUME: "the instance that started it was resumed",
}


class Children:
    """The service that starts and ends what tasks with `workflow: NAME` ask for."""

    name: ClassVar[str] = "children"
    topics: ClassVar[tuple[str, ...]] = ("child", "turn", "intent")

    def __init__(self, store: Store, plans: Plans, topics: Topics, daemon_id: Callable[[], int]) -> None:
        self._store, self._plans, self._topics, self._daemon_id = store, plans, topics, daemon_id
        self._unreadable = UnreadableLog()
        self._starts = UnclaimedRows(store, NO_POOL, BATCH)
        self._ends = Place(0)
        self._instances = Instances(plans, RegisteredJobs())
        self._harvest = Harvest(store.clock, lambda: 0.5)  # of rows that end instead of starting something

    def tick(self) -> float:
        done = [self._start(), self._end(), self._tell()]
        if any(done):
            return 0
        is_waiting = self._store.read(lambda tx: tx.one("count_open_children")).children
        return WAITING_S if is_waiting else IDLE_S

    def _start(self) -> bool:
        """Start what tasks are ready for. Returns: may there be more to do at once?"""
        lanes, has_more = self._starts.next()
        done, topics = 0, set[str]()
        for lane_rows in lanes:
            lane = lane_of(lane_rows[0])
            if heads := claimed_of(row for row in lane_rows if row.kind == TaskKind.HEAD):
                self._expand(lane, heads)
                done += len(heads)
            if undoing := [row for row in lane_rows if row.kind == TaskKind.COMPENSATION]:
                done += self._undo(lane, undoing, topics)
            if starts := [row for row in lane_rows if row.kind == TaskKind.CHILD]:
                started = start_children(self._store, self._instances, self._plans, lane, starts, topics)
                done += started.started + len(started.failed)
                refuse(self._harvest, lane, started.failed)
        self._topics.publish(*topics)
        if batch := self._harvest.reap():
            self._finish(batch, [])
        return has_more or done > 0

    def _undo(self, lane: Lane, rows: list[Any], topics: set[str]) -> int:
        """Have instances undone that tasks have started. Returns how many rows were taken care of."""
        undone = undo_children(self._store, self._plans, rows)
        if undone.waiting:
            topics.add("command")
        self._harvest.end_unrun(claimed_of(undone.rows), TaskState.SUCCESS, Reason.NONE)
        left = claimed_of(row for row, _ in undone.unreadable)
        unreadable = [Unrenderable(row, error) for row, (_, error) in zip(left, undone.unreadable, strict=True)]
        refuse(self._harvest, lane, unreadable)
        return len(undone.rows) + undone.waiting + len(unreadable)

    def _expand(self, lane: Lane, heads: list[Claimed]) -> None:
        """Make rows for the items of maps; each of them starts an instance."""
        self._store.read(lambda tx: self._instances.load_claimed(tx, heads))
        expanded = fan_out.expand(self._store, self._instances, heads)
        for row, items, bad in expanded.ended:
            self._harvest.end_head(row, lane, items, bad)
        refuse(self._harvest, lane, [Unrenderable(*failed) for failed in expanded.failed])

    def _end(self) -> bool:
        """End the tasks whose instances have ended. Returns: may there be more to do at once?"""
        ended = self._store.read(lambda tx: tx.run("list_ended_children", batch=BATCH, after=self._ends.after))
        has_more = self._ends.move(ended, BATCH, lambda row: int(row.instance_id))
        waited_for = [row for row in ended if row.now_fence == row.fence]
        unreadable = self._store.read(lambda tx: find_unreadable(tx, self._instances, waited_for))
        for number, error in unreadable.items():
            self._unreadable.warn_once("task", number, error)
        ended = [row for row in ended if row.task_id not in unreadable]
        if not ended:
            return has_more
        waited_for = [row for row in waited_for if row.task_id not in unreadable]
        batch = self._store.read(lambda tx: batch_of(tx, self._instances, waited_for))
        self._finish(batch, sorted((row.task_id, row.instance_id, row.fence) for row in ended))
        return True

    def _finish(self, batch: Batch, links: list[tuple[int, int, int]]) -> None:
        """Write a batch, and close these links to children with it."""

        def close_links(tx: Tx) -> None:
            if links:
                tx.run("close_children", rows=links)

        closed, _ = finish_and(self._store, self._instances, batch, self._daemon_id(), close_links)
        topics = set(batch.topics())
        if batch.effects.has_advanced:
            topics.add("ready")
        topics |= self._instances.awaited_by(closed)
        self._instances.forget([*closed, *(instance_id for _, instance_id, _ in links)])
        self._topics.publish(*topics)

    def _tell(self) -> int:
        """Have children terminated, paused or resumed because their parents were. Returns how many were told."""
        rows = self._store.read(lambda tx: tx.run("list_untold_children", batch=BATCH))
        told = sum(self._store.transact(lambda tx, row=row: _tell(tx, row), name="tell_child") for row in rows)  # type: ignore[misc]
        if told:
            self._topics.publish("command")
        return told


def _tell(tx: Tx, row: Any) -> bool:
    """Give a child (a row of `list_untold_children`) a command, unless another daemon was faster."""
    intent = Intent(row.intent)
    place = {"task_id": row.task_id, "instance_id": row.instance_id, "fence": row.fence, "asked": row.asked}
    if not tx.count("tell_child", intent=int(intent), **place):
        return False
    command = COMMAND | {
        "tenant": row.tenant,
        "action": ACTIONS[intent],
        "instance_id": row.instance_id,
        "reason": REASONS[intent],
        "requested_by": f"instance:{row.parent_id}",
    }
    tx.run("insert_command", **command)
    return True
