"""The engine on a real database without daemon or workers: its services are ticked by hand, its clock is set.

What runs is what `claim` took and the test has not yet finished; how it ends is said by the test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from unittest import mock

from qflowd.define.workflow_file import parse
from qflowd.engine.admission.admit import Admitter
from qflowd.engine.admission.intake import Intake
from qflowd.engine.backfills.backfills import Backfills
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.child_workflows.children import Children
from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.claiming.gate import Head
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.claiming.paused_rows import hold_paused
from qflowd.engine.claiming.take import claim_rows
from qflowd.engine.commands.inbox import Commands
from qflowd.engine.commands.sweep import BUSY_S, Sweep
from qflowd.engine.concurrency.turns import Turns
from qflowd.engine.definitions.workflow_store import canonical, store_workflow
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish
from qflowd.engine.finishing.outcome import AttemptRow, FinalRow, Rearmed, Released
from qflowd.engine.finishing.timers import Timers
from qflowd.engine.maps import fan_out
from qflowd.engine.plans import items_above
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import Dispatch
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.sagas.saga import Sagas
from qflowd.engine.service import Topics
from qflowd.engine.waits.waits import Waits
from qflowd.model.errors import SkippedByPerson, Unreached, Unwanted
from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, Reason, TaskKind, TaskState
from qflowd.model.workflow import NO_POOL, WAIT_POOL, Job, Workflow
from qflowd.store.clock import to_microseconds
from qflowd.store.inbox import COMMAND, SUBMISSION
from qflowd.store.migrate import migrate
from qflowd.store.tx import Fault, Store, Tx
from tests.support.clock import SetClock
from tests.support.invariants import check
from tests.support.kept import KeptStore
from tests.support.sql import run_sql

SUCCESS, FAILED, SKIPPED, CANCELLED = TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED
INNODB_S = 0.15  # innodb_trx shows what it showed before to whoever asks again within 0.1 s
REASONS = {FAILED: Reason.ERROR, SKIPPED: Reason.SKIPPED, CANCELLED: Reason.TERMINATED}


class _LateTx:
    """A transaction in which others act, once, just before a statement is run."""

    def __init__(self, tx: Tx, statement: str, waiting: list[Callable[[], object]]) -> None:
        self._tx, self._statement, self._waiting = tx, statement, waiting
        self.now = tx.now

    def part(self, work: Callable[[Any], Any]) -> Any:
        return self._tx.part(lambda _: work(self))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(statement: str, /, **params: Any) -> Any:
            if statement == self._statement and self._waiting:
                self._waiting.pop()()
            return getattr(self._tx, name)(statement, **params)

        return call


@lru_cache(64)
def _read(text: str, key: str) -> tuple[Workflow, str]:
    """The workflow of a document, and its source: each test has the same ones on each database."""
    workflow = parse(text, "json", key)
    return workflow, canonical(workflow)


class NoWorkers:
    """Pools that take whatever is sent to them."""

    def room(self, pool: str) -> int:
        return 1

    def send(self, pool: str, chunk: Any) -> None:
        """Nobody works on it."""


class Lab:
    """A store, its own or one that is kept for others, and the services of one daemon that is number `owner`."""

    def __init__(self, url: str, *, owner: int = 7, fault: Fault | None = None, kept: KeptStore | None = None) -> None:
        self.url = url
        self.clock = SetClock(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
        self.kept = kept
        if kept:
            self.store = kept.take()
            self.store.clock = self.clock
        else:
            self.store = Store(url, clock=self.clock, fault=fault)
            migrate(self.store)
        self.owner = owner
        self.plans, self.jobs, self.topics = Plans(), RegisteredJobs(), Topics()
        self.lanes = LaneIds(self.store)
        self.instances = Instances(self.plans, self.jobs)
        self.jobs.own = {"work": Job(name="work", module="", file="work.py", hash="h")}
        self.published: list[str] = []
        for topic in ("ready", "timer", "intent", "schedule", "stopping"):
            self.topics.subscribe(topic, lambda topic=topic: self.published.append(topic))  # type: ignore[misc]
        self.admit = Admitter(self.store, Intake(self.plans, self.lanes, self.jobs), self.topics)
        self.commands = Commands(self.store, self.plans, self.lanes, self.jobs, self.topics)
        self.backfills = Backfills(self.store, self.topics)
        self.sweep = Sweep(self.store, self.topics)
        self.turns = Turns(self.store, self.plans, self.lanes, self.jobs, self.topics)
        self.children = Children(self.store, self.plans, self.topics, lambda: owner)
        self.waits = self.waits_on(lambda: self.clock.now().timestamp())
        self.compensate = Sagas(self.store, self.plans, self.lanes, self.jobs, self.topics)
        self.promote = Timers(self.store, self.topics)
        self._lanes: dict[int, Lane] = {}

    def waits_on(self, seconds: Callable[[], float]) -> Waits:
        """The service of waits, by a clock that tells how long its looks take."""
        return Waits(self.store, self.plans, self.lanes, self.jobs, self.topics, lambda: self.owner, seconds)

    def close(self) -> None:
        if self.kept:
            self.kept.give_back()
        else:
            self.store.close()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction; returns the rows of the last."""
        return run_sql(self.store, *statements)

    def wipe(self) -> None:
        """Empty all tables but those of the schema itself; most are already."""
        lists = {
            "sqlite": "SELECT name FROM qflow.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
            "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'qflow'",
            "mysql": "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'qflow' AND table_type = 'BASE TABLE'",
        }
        found = self.sql(lists[self.store.dialect.name])
        tables = sorted(name for (name,) in found if name not in ("meta", "migration"))
        [has_rows] = self.sql("SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM qflow.{name})" for name in tables))
        full = [f"DELETE FROM qflow.{name}" for name, is_full in zip(tables, has_rows, strict=True) if is_full]
        if full:
            self.sql(*full)

    # -- what users do

    def workflow(
        self, key: str, tasks: Mapping[str, Any], of_task: Mapping[str, Mapping[str, Any]] | None = None, **more: Any
    ) -> int:
        """Store an active workflow; `tasks`: key -> its `after`; `of_task`: key -> more of what a file says of it.

        Returns the id of its definition.
        """
        document: dict[str, Any] = {"workflow": key, "tasks": {}}
        for task, after in tasks.items():
            document["tasks"][task] = {"job": "work", "after": after, **(of_task or {}).get(task, {})}
        for task in document["tasks"].values():
            if not task["after"]:
                del task["after"]
        return self._store(document | more)

    def _store(self, document: dict[str, Any]) -> int:
        key, tenant = document["workflow"], document.pop("tenant", "default")
        workflow, source = _read(json.dumps(document), key)
        about: dict[str, Any] = {"format": "json", "file": None, "pool_of": lambda job: None, "source": source}
        self.store.transact(lambda tx: store_workflow(tx, workflow, **about, tenant=tenant))
        found = f"SELECT id FROM qflow.workflow_definition WHERE workflow = '{key}' AND tenant = '{tenant}'"
        return int(self.sql(found)[0][0])

    def define(self, key: str, tasks: Mapping[str, Any], **more: Any) -> int:
        """As `workflow`, with each task as a file has it."""
        return self._store({"workflow": key, "tasks": tasks} | more)

    def submit(self, workflow: str | None = None, **columns: Any) -> int:
        """Write a submission and leave it in the inbox."""
        row = SUBMISSION | {"workflow": workflow} | columns
        return int(self.store.transact(lambda tx: tx.one("insert_submission", **row)).id)

    def start(self, workflow: str | None = None, **columns: Any) -> int:
        """Submit and admit."""
        number = self.submit(workflow, **columns)
        while not self.admit.tick():
            pass
        return number

    def ask(self, action: str, instance_id: int | None = None, **columns: Any) -> int:
        """Write a command and leave it in the inbox."""
        row = COMMAND | {"action": action, "instance_id": instance_id} | columns
        return int(self.store.transact(lambda tx: tx.one("insert_command", **row)).id)

    def answer(self, number: int, tenant: str = "default") -> tuple[str, Any]:
        """State of a command, and its result or error."""
        row = self.store.read(lambda tx: tx.one("show_command", tenant=tenant, id=number))
        return row.state, json.loads(row.result) if row.result else row.error

    def command(self, action: str, instance_id: int | None = None, **columns: Any) -> tuple[str, Any]:
        """Write a command and have it carried out."""
        number = self.ask(action, instance_id, **columns)
        self.commands.tick()
        return self.answer(number, columns.get("tenant", "default"))

    # -- what a daemon does

    def claim(self, wanted: int = 1000) -> list[Claimed]:
        """Take up to `wanted` rows of every lane."""
        for head in [Head(*row) for row in self.store.read(lambda tx: tx.run("list_heads"))]:
            self.lane(head.lane)
        rows = self.store.transact(lambda tx: self.claim_in(tx, wanted), name="claim")
        running = self.begin(rows)
        return running if len(running) == len(rows) else running + self.claim(wanted)

    def begin(self, rows: Sequence[Claimed]) -> list[Claimed]:
        """Of claimed rows those that run: heads make rows for their items, and items that were ready only to end do so."""
        unmet = self.store.read(lambda tx: items_above.unmet(tx, [row.id for row in rows if row.kind == TaskKind.TASK]))
        if ending := [row for row in rows if row.id in unmet]:
            states = {row.id: TaskState.UPSTREAM_FAILED if unmet[row.id].bad_parents else SKIPPED for row in ending}
            self.finish(*(self.final(row, states[row.id])._replace(reason=0) for row in ending))
        if heads := [row for row in rows if row.kind == TaskKind.HEAD]:
            self.expand(heads)
        return [row for row in rows if row.id not in unmet and row.kind != TaskKind.HEAD]

    def send(self, rows: Sequence[Claimed]) -> tuple[set[int], Batch]:
        """Send claimed rows of one lane to workers that do nothing. Returns the ids of those sent, and what ends the others."""
        harvest = Harvest(self.clock, lambda: 0.5)
        dispatch = Dispatch(self.store, NoWorkers(), self.instances, harvest, None, "db")  # type: ignore[arg-type]
        lane = self.lane(self.column("task_instance", "lane", rows[0].id))
        self.store.read(lambda tx: self.instances.load_claimed(tx, rows))
        dispatch.send(self.store.read(lambda tx: dispatch.prepare(tx, Claim(lane, list(rows), 1))))
        return set(harvest.held), harvest.reap()

    def expand(self, heads: Sequence[Claimed]) -> None:
        """Make rows for the items of these heads; those that have none, or no list, end."""
        self.store.read(lambda tx: self.instances.load_claimed(tx, heads))
        expanded = fan_out.expand(self.store, self.instances, heads)
        skipped = [row for row, error in expanded.failed if isinstance(error, SkippedByPerson)]
        expanded.failed = [item for item in expanded.failed if item[0] not in skipped]
        self.finish(*(self._skipped(row) for row in skipped))
        self.finish(*(self.final(row, SKIPPED) for row, error in expanded.failed if isinstance(error, Unwanted)))
        failed = [(row, str(error)) for row, error in expanded.failed if not isinstance(error, Unwanted)]
        failed += [(row, "items failed") for row, _, bad in expanded.ended if bad]
        unreached = [(row, error) for row, error in expanded.failed if isinstance(error, Unreached)]
        states = {row.id: TaskState.UPSTREAM_FAILED if error.is_failed else SKIPPED for row, error in unreached}
        self.finish(*(self.final(row, states[row.id])._replace(reason=0) for row, _ in unreached))
        failed = [item for item in failed if item[0].id not in states]
        final = [self.final(row, output=None if items else []) for row, items, bad in expanded.ended if not bad]
        final += [self.final(row, FAILED) for row, _ in failed]
        if final:
            self.finish(batch=Batch(final=final, attempts=[self.failed_attempt(*one) for one in failed]))

    def just_before(self, transaction: str, act: Callable[[], object], *, statement: str = "") -> None:
        """Have `act` happen, once, before this daemon begins such a transaction, or runs a statement in it: others are faster."""
        transact, waiting = self.store.transact, [act]

        def late(work: Callable[[Any], Any], *, name: str = "", **more: Any) -> Any:
            name = name or work.__name__
            if name == transaction and waiting and not statement:
                waiting.pop()()
            is_late = name == transaction and waiting
            return transact((lambda tx: work(_LateTx(tx, statement, waiting))) if is_late else work, name=name, **more)

        self.store.transact = late  # type: ignore[method-assign]

    def claim_in(self, tx: Tx, wanted: int = 1000) -> list[Claimed]:
        """Take rows of every lane that was met before, in a transaction."""
        heads = [Head(*row) for row in tx.run("list_heads")]
        lanes = [self._lanes[head.lane] for head in heads if head.lane in self._lanes]
        lanes = [lane for lane in lanes if lane.key.pool not in (NO_POOL, WAIT_POOL)]  # nobody claims these
        taken = [row for lane in lanes for row in claim_rows(tx, lane, wanted, self.owner)]
        return hold_paused(tx, heads[0], taken) if taken and heads[0].may_be_paused else taken

    def lane(self, number: int) -> Lane:
        if number not in self._lanes:
            self.lanes.load([number])
            key = self.lanes.key(number)
            assert key is not None
            job = self.jobs.own.get(key.job) or Job(name=key.job, module="", file="", hash="")
            self._lanes[number] = Lane(number, key, job, 1)
        return self._lanes[number]

    def final(self, row: Claimed, state: TaskState = SUCCESS, output: Any = None) -> FinalRow:
        """How a claimed row ends."""
        text = None if output is None else json.dumps(output)
        started_us = to_microseconds(self.clock.now())
        reason = int(REASONS.get(state, 0))
        end = (row.id, row.fence, int(state), reason, row.attempt + 1, 1, started_us, text)
        return FinalRow(*end, row.node, row.kind, row.round)

    def failed_attempt(self, row: Claimed, error: str) -> AttemptRow:
        now = self.clock.now()
        state, reason = int(FAILED), int(Reason.ERROR)
        return AttemptRow(row.id, row.fence, row.attempt + 1, state, reason, now, now, None, None, None, 1, error, None)

    def rearmed(self, row: Claimed, seconds: float) -> Rearmed:
        return Rearmed(
            row.id, row.fence, row.attempt + 1, int(Reason.ERROR), self.clock.now() + timedelta(seconds=seconds)
        )

    def released(self, row: Claimed) -> Released:
        return Released(row.id, row.fence, 1, 0)

    def sweep_all(self) -> None:
        """Sweep until nothing is left, or only what is held is; without rests, which are long on a slow machine."""
        with mock.patch("qflowd.engine.commands.sweep.REST", 0):
            while self.sweep.tick() < BUSY_S:
                pass

    def finish(self, *final: FinalRow, batch: Batch | None = None) -> list[int]:
        """Write results in one group commit. Returns the instances it closed."""
        closed = finish(self.store, self.instances, batch or Batch(final=list(final)), self.owner)
        self.instances.forget(closed)
        return closed

    def run(self, outcomes: Mapping[str, TaskState] | None = None, rounds: int = 1000) -> None:
        """Claim and finish until nothing is ready; `outcomes`: task key -> how it ends, SUCCESS where it is not named."""
        for _ in range(rounds):
            rows = self.claim()
            if not rows:
                return
            self.finish(*(self.end_of(row, outcomes or {}) for row in rows))

    def end_of(self, row: Claimed, outcomes: Mapping[str, TaskState]) -> FinalRow:
        key = self.key(row.id)
        self.store.read(lambda tx: self.instances.load_claimed(tx, [row]))
        override = self.instances[row.id // ORDINALS].overrides.get(key)
        if override is None or not override.skip:
            return self.final(row, outcomes.get(key, SUCCESS))
        return self._skipped(row)

    def _skipped(self, row: Claimed) -> FinalRow:
        return self.final(row, SKIPPED)._replace(reason=int(Reason.MANUAL), started_us=None)

    def ends(self, rows: Iterable[Claimed], state: TaskState = SUCCESS) -> None:
        self.finish(*(self.final(row, state) for row in rows))

    def succeeds(self, number: int) -> None:
        """Run what is ready, and whatever becomes so: the instance succeeds, and nothing is left to do."""
        self.run()
        assert self.state(number) == "SUCCESS"
        self.check(drained=True)

    # -- what is to be seen

    def key(self, task_id: int) -> str:
        return next(iter(self._states(task_id, task_id)))

    def states(self, instance_id: int) -> dict[str, str]:
        """Task key -> state."""
        first = instance_id * ORDINALS
        return self._states(first, first + ORDINALS - 1)

    def _states(self, first: int, last: int) -> dict[str, str]:
        sql = "SELECT node, map_index, label, state FROM qflow.task_instance WHERE id BETWEEN "
        rows = self.sql(f"{sql}{first} AND {last} ORDER BY id")
        if not rows:
            return {}
        self.store.read(lambda tx: self.instances.load(tx, [first]))
        nodes = self.instances[first // ORDINALS].plan.nodes
        return {
            nodes[node].key + ("" if index is None else f"[{label or index}]"): TaskState(state).name
            for node, index, label, state in rows
        }

    def state(self, instance_id: int) -> str:
        """State of an instance."""
        [(state,)] = self.sql(f"SELECT state FROM qflow.workflow_instance WHERE id = {instance_id}")
        return InstanceState(state).name

    def column(self, table: str, column: str, row_id: int) -> Any:
        return self.sql(f"SELECT {column} FROM qflow.{table} WHERE id = {row_id}")[0][0]

    def is_somebody_waiting(self) -> bool:
        """Does any session wait for a row that another one has locked?"""
        waits = {
            "postgres": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
            "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        }
        if self.store.dialect.name == "mysql":
            time.sleep(INNODB_S)
        return self.store.connection().script(waits[self.store.dialect.name]) != [(0,)]

    def check(self, *, drained: bool = False) -> None:
        check(self.store, drained=drained)
