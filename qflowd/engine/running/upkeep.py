"""Upkeep: what the executor's thread does between turns, now and then.

It stops tasks that are terminated, alone or with their instances, takes back what has not begun of those that are paused, answers
what running tasks ask for, and compares what is held here with what the database says.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming.claim import Claim
from qflowd.engine.finishing.finish import finish
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.upstreams import read_output
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.service import report
from qflowd.model.errors import StoreUnavailable, Unreadable
from qflowd.model.ids import instance_of
from qflowd.model.limits import known_part, of_lane
from qflowd.model.states import Intent
from qflowd.store.clock import boottime
from qflowd.store.tx import Store
from qflowd.workers.backends import Backends
from qflowd.workers.events import Asked

log = logging.getLogger("qflowd")
RECONCILE_S = 30.0
INTENTS_S = 0.25  # while anything is held: how often to look which instances are to end or to stand still
AGAIN_S = 1.0  # after an outage


class Upkeep:
    """All its state belongs to the executor's thread, except what `note_intents` touches."""

    def __init__(
        self,
        store: Store,
        backends: Backends,
        instances: Instances,
        lanes: LaneIds,
        harvest: Harvest,
        daemon_id: Callable[[], int],
        on_pause: Callable[[], None],
    ) -> None:
        """`on_pause`: called whenever an instance is seen that was paused a moment ago."""
        self._store, self._backends, self._instances = store, backends, instances
        self._harvest, self._daemon_id, self._lanes, self._on_pause = harvest, daemon_id, lanes, on_pause
        self.reconcile_at = boottime() + RECONCILE_S  # 0: a claim may have been applied although its reply was lost
        self.asked: list[Asked] = []  # by running tasks, and not answered yet
        self._not_before = 0.0
        self._has_intents = True  # something was terminated or paused, and not looked at yet; before we began, perhaps
        self._look_at = 0.0
        self._terminating: set[int] = set()  # instances, at the last look
        self._paused_tasks: list[Any] = []  # rows of `list_paused_tasks`, at the last look

    def note_intents(self) -> None:
        """Some instance or task is to be terminated or paused. Safe from any thread."""
        self._has_intents = True
        self._backends.wake()

    def tick(self, now: float) -> bool:
        """Do what is due. Returns: were rows given back, which can be claimed?"""
        if now < self._not_before:
            return False
        try:
            if self._has_intents or (self._harvest.held and now >= self._look_at):
                self._look_at_intents()
            while self.asked:
                self._backends.answer(self.asked[0], *read_output(self._store, self._instances, self.asked[0]))
                del self.asked[0]
            if now >= self.reconcile_at:
                self.reconcile_at = now + RECONCILE_S
                return self._reconcile()
        except StoreUnavailable as error:
            self.reconcile_at = 0.0
            self._not_before = now + AGAIN_S
            report("reconcile", error, AGAIN_S)
        return False

    def cancelled(self, claims: Iterable[Claim]) -> set[int]:
        """Ids of rows just claimed that must not begin: they, or their instances, are terminated. Raises: StoreUnavailable."""
        if self._has_intents or self._terminating or self._unwanted(claims):
            self._look_at_intents()  # once more: what was terminated may have been retried since
        return self._unwanted(claims)

    def _unwanted(self, claims: Iterable[Claim]) -> set[int]:
        instances, stopped = self._terminating, self._harvest.stopped
        if not (instances or stopped):
            return set()
        numbers = [row.id for claim in claims for row in claim.rows]
        return {number for number in numbers if number in stopped or instance_of(number) in instances}

    def _look_at_intents(self) -> None:
        """Look what is being terminated or paused: stop what we run of the one, take back what waits of the other."""
        self._has_intents = False  # before the look: what is noted after it needs another
        self._look_at = boottime() + INTENTS_S
        try:
            rows, tasks, stops = self._store.read(
                lambda tx: (tx.run("list_intents"), tx.run("list_paused_tasks"), tx.run("list_task_stops"))
            )
            if over := [(stop.task_id, stop.fence) for stop in stops if stop.is_over]:
                self._store.transact(lambda tx: tx.run("delete_task_stops", rows=over), name="stops")
        except StoreUnavailable:
            self._has_intents = True
            raise
        aborted = {row.id for row in rows if row.intent == Intent.ABORT}
        self._terminating = aborted | {row.id for row in rows if row.intent == Intent.TERMINATE}
        held = self._held_of(self._terminating)
        self._backends.stop([number for number in held if instance_of(number) in aborted or not self._runs_on(number)])
        self._harvest.stopped = {stop.task_id for stop in stops if not stop.is_over}
        self._backends.stop([stop.task_id for stop in stops if stop.task_id in self._harvest.held])
        if paused := {row.id for row in rows if row.intent == Intent.PAUSE}:
            self._backends.give_back(self._held_of(paused))
        if tasks:
            self._backends.give_back(self._held_of_tasks(tasks))
        if paused or tasks != self._paused_tasks:
            self._on_pause()
        self._paused_tasks = tasks

    def _held_of(self, instances: set[int]) -> list[int]:
        return [number for number in self._harvest.held if instance_of(number) in instances] if instances else []

    def _held_of_tasks(self, paused: list[Any]) -> list[int]:
        """What is held here of tasks that are paused: rows of `list_paused_tasks`. One of an instance overrules its workflow's."""
        is_paused = {(row.definition_id, row.instance_id, row.task): bool(row.is_paused) for row in paused}
        held = []
        for number, (row, *_) in self._harvest.held.items():
            try:
                plan = self._instances[instance_of(number)].plan
            except Unreadable:
                continue
            of, task = plan.definition_id, plan.tasks[row.node].key
            if is_paused.get((of, instance_of(number), task), is_paused.get((of, 0, task), False)):
                held.append(number)
        return held

    def _runs_on(self, number: int) -> bool:
        """Does a task that is held here run to its end although its instance is terminated?"""
        try:
            plan = self._instances[instance_of(number)].plan
        except Unreadable:  # forgotten here: it is stopped, and started anew
            return False
        return plan.tasks[self._harvest.held[number][0].node].run_on == "terminate"

    def _reconcile(self) -> bool:
        """Give back rows that are ours and not held here (a claim whose reply was lost); drop tasks that are not ours."""
        rows = self._store.read(lambda tx: tx.run("list_held", owner=self._daemon_id()))
        self._lanes.load(row.lane for row in rows)
        keys = {row.lane: self._lanes.key(row.lane) for row in rows}
        limits = {lane: known_part(key.limits) for lane, key in keys.items() if key and of_lane(key.limits)}
        strays = self._harvest.held.strays(rows, limits, self._harvest.batch.task_ids())
        if strays:
            log.warning("giving back %d rows whose claim was not reported", len(strays.released))
            finish(self._store, self._instances, strays, self._daemon_id())
        self._backends.stop(self._harvest.held.forget_disowned({row.id for row in rows}))
        if absent := self._harvest.held.forget_absent(self._backends.held()):
            log.error("the results of %d tasks were lost on their way from the workers; they run again", len(absent))
            self.reconcile_at = 0.0
        return bool(strays)
