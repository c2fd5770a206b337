"""Waits: tasks with `wait_for` hold no slot while they wait, and stand in no lane that is claimed.

Any daemon has them begin to wait, takes signals, and wakes those whose fact has come or whose time is over. Each step looks
at what is in the database, so whatever is missed or killed is done at the next look. No waiting row is asked one by one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.claiming.paused_rows import without_paused
from qflowd.engine.claiming.unclaimed import UnclaimedRows, claimed_of
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import refuse
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.service import Place, Topics, UnreadableLog
from qflowd.engine.waits import recorded, register, signals, successes, wake
from qflowd.model.ids import ORDINALS
from qflowd.model.workflow import WAIT_POOL
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

BATCH: Final = 500
OPEN_S: Final = 0.1  # until the next look at what another daemon works on
AWAITED_S: Final = 0.5  # as long as tasks wait for workflows or datasets, whose end wakes nobody
SHARE: Final = 20  # so many times as long as that look has taken, at least
LONG_S: Final = 0.25  # a look that takes longer is not repeated before that time, whatever else there is to do
LEFT_S: Final = 60.0  # between looks for such waits that are over: of tasks that were skipped or terminated
IDLE_S: Final = 5.0  # the daemon that let a task begin to wait may be dead
# After a deadline: its timer is lost, as a release that knows no waits deletes it.
OVERDUE: Final = timedelta(seconds=10)


class Waits:
    """The service of tasks that wait for facts. `seconds`: a clock that nobody sets; of how long looks take."""

    name: ClassVar[str] = "waits"
    topics: ClassVar[tuple[str, ...]] = ("child", "turn", "fact", "wait")

    def __init__(
        self,
        store: Store,
        plans: Plans,
        lanes: LaneIds,
        jobs: RegisteredJobs,
        topics: Topics,
        daemon_id: Callable[[], int],
        seconds: Callable[[], float] = boottime,
    ) -> None:
        self._store, self._lanes, self._topics, self._daemon_id = store, lanes, topics, daemon_id
        self._seconds = seconds
        self._unreadable = UnreadableLog()
        self._ready, self._woken = UnclaimedRows(store, WAIT_POOL, BATCH), Place(0)
        self._instances = Instances(plans, jobs)
        self._awaited_s, self._left_at, self._rests_until_s = AWAITED_S, 0.0, 0.0
        self._harvest = Harvest(store.clock, lambda: 0.5)  # of rows that end instead of waiting

    def tick(self) -> float:
        has_registered = self._register()
        open_rows = self._store.read(lambda tx: tx.one("find_open_waits"))
        taken, has_more = signals.take_signals(self._store) if open_rows.open_signal is not None else (0, False)
        is_fresh = open_rows.fresh is not None or has_registered
        settled = self._store.transact(signals.look) if is_fresh else 0
        expired = self._expire_overdue(open_rows.deadline_at)
        is_awaited = open_rows.workflow is not None or open_rows.dataset is not None
        met = self._meet_awaited() if is_awaited else 0
        is_woken = (taken or settled or expired or met or open_rows.woken is not None) and self._wake()
        if has_registered or has_more or settled or is_woken:
            return 0
        if is_fresh or open_rows.open_signal is not None:
            return OPEN_S
        return self._awaited_s if is_awaited else IDLE_S

    def _meet_awaited(self) -> int:
        """Meet tasks that wait for workflows or datasets; where that takes long, it is done less often. Returns how many."""
        began = self._seconds()
        if began < self._rests_until_s:
            self._awaited_s = self._rests_until_s - began
            return 0
        if began >= self._left_at:
            self._left_at = began + LEFT_S
            successes.end_left(self._store)
        met = successes.meet(self._store) + recorded.meet(self._store)
        took_s = self._seconds() - began
        self._awaited_s = min(IDLE_S, max(AWAITED_S, SHARE * took_s))
        if took_s > LONG_S and not met:
            self._rests_until_s = began + took_s + self._awaited_s
        return met

    def _expire_overdue(self, first: datetime | None) -> int:
        """End waits whose deadline has long passed, if there are any. `first`: the earliest deadline. Returns how many."""
        until_at = self._store.clock.now() - OVERDUE
        if first is None or first > until_at:
            return 0

        def expire_overdue(tx: Tx) -> int:
            return tx.count("expire_overdue_waiters", until_at=until_at)

        return self._store.transact(expire_overdue)

    def _register(self) -> bool:
        """Have tasks whose turn has come begin to wait. Returns: was there something to do?"""
        lanes, has_more = self._ready.next()
        done = sum(map(self._register_lane, lanes))
        if batch := self._harvest.reap():
            self._finish(batch, [])
        return has_more or done > 0

    def _register_lane(self, found: Sequence[Any]) -> int:
        rows = self._store.read(lambda tx: without_paused(tx, found))
        if not rows:
            return 0
        lane = register.lane_of(rows[0])
        claimed = claimed_of(rows)
        ready, failed = self._store.read(lambda tx: register.render(tx, self._instances, lane, claimed))
        refuse(self._harvest, lane, failed)
        registered = register.register(self._store, lane, ready) if ready else 0
        if any(each.waiting.wanted for each in ready):
            self._topics.publish("look")
        return len(failed) + registered

    def _wake(self) -> bool:
        """Let tasks run, or end them. Returns: was there something to do?"""
        after, now = self._woken.after, self._store.clock.now()
        rows = self._store.read(lambda tx: tx.run("list_woken", batch=BATCH, after=after, now=now))
        has_more = self._woken.move(rows, BATCH, lambda row: int(row.id))
        rows = [row for row in rows if row.open_id is None]
        if not rows:
            return has_more

        def judge(tx: Tx) -> wake.Woken:
            self._instances.load_claimed(tx, rows)
            if others := [row.success_id for row in rows if row.success_id is not None]:
                self._instances.forget(others)  # a rerun may have had other params since
                self._instances.load(tx, [*(number * ORDINALS for number in others), *(row.id for row in rows)])
            return wake.judge(tx, self._instances, rows)

        woken = self._store.read(judge)
        for number, error in woken.unreadable.items():
            self._unreadable.warn_once("task", number, error)
        wake.let_run(self._store, self._lanes, woken)
        if woken.batch:
            self._finish(woken.batch, woken.ended)
        if woken.runs:
            self._topics.publish("ready", *(("child",) if wake.starts_more(rows, woken) else ()))
        return len(woken.unreadable) < len(rows) or has_more

    def _finish(self, batch: Batch, ended: Sequence[wake.Key]) -> None:
        """Write a batch, and end these waiters with it."""

        def end_waiters(tx: Tx) -> None:
            if ended:
                tx.run("end_waiters", rows=sorted(ended))

        closed, _ = finish_and(self._store, self._instances, batch, self._daemon_id(), end_waiters)
        topics = set(batch.topics())
        if batch.effects.has_advanced:
            topics.add("ready")
        topics |= self._instances.awaited_by(closed)
        self._instances.forget(closed)
        self._topics.publish(*topics)
