"""How a way to wait is entered, and the workflows that most of them begin with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from qflowd.config.records import PoolConfig
from qflowd.engine.membership.registration import register
from qflowd.model.states import TaskKind, TaskState
from qflowd.model.workflow import Job
from qflowd.plugins.registry import Registry
from tests.support.lab import FAILED, Lab

LATER = datetime(2037, 11, 20, 13, tzinfo=UTC)
AT = "2037-11-20T13:00:00Z"
NOBODY = "daemon d1 on host h is lost; no daemon is running"

# Where no row waits, though the states would allow it.
NEVER = {
    (TaskKind.HEAD, TaskState.RUNNING): "a head runs no code",
    **{
        (TaskKind.CHILD, state): "no daemon claims it: what it starts runs as an instance"
        for state in (TaskState.RESERVED, TaskState.RUNNING)
    },
    (TaskKind.COMPENSATION, TaskState.HELD): "an instance that is being compensated is not paused",
    **{
        (TaskKind.WAIT, state): "no daemon claims it, and nothing runs"
        for state in (TaskState.RESERVED, TaskState.RUNNING)
    },
}


class Way(NamedTuple):
    """How a row comes to wait. `task`, `instance`: what the views say then, `*` for any text, `{before}` and `{holder}` for
    the instance submitted before it and that one's first task; None: not asked.
    """

    name: str
    arrange: Callable[[Lab], int]  # returns the instance
    kind: TaskKind | None
    state: TaskState | None
    task: str | None
    instance: str | None


WAYS: list[Way] = []


def way(
    kind: TaskKind | None = None,
    state: TaskState | None = None,
    *,
    task: str | None = None,
    instance: str | None = None,
) -> Callable[[Callable[[Lab], int]], Callable[[Lab], int]]:
    """Enter a function that has a row of `kind` wait in `state`; without them, it is the instance that waits."""

    def enter(arrange: Callable[[Lab], int]) -> Callable[[Lab], int]:
        WAYS.append(Way(f"{arrange.__name__}{len(WAYS)}", arrange, kind, state, task, instance))
        return arrange

    return enter


def alive(lab: Lab, *jobs: str, pool: str = "default", name: str = "d1", faulty: str = "") -> None:
    """A daemon that is there, by its rows alone; it owns what is claimed from now on."""
    about = {"name": name, "host": "h", "pid": 1, "lock_file": "", "version": "0"}
    lab.owner = lab.store.transact(lambda tx: tx.one("insert_daemon", **about, lease_s=60, now=tx.now).id)
    known = {job: Job(name=job, module="", file="work.py", hash="h") for job in jobs}
    registry = Registry(jobs=known, errors={faulty: "line 2: SyntaxError"} if faulty else {})
    register(lab.store, lab.owner, registry, {pool: PoolConfig(1)}, is_ready=True)


def lost(lab: Lab) -> None:
    """The daemon has stopped beating, and its lease has run out."""
    database_id = lab.store.read(lambda tx: tx.one("read_database_id")).value
    about = {"id": lab.owner, "lease_s": -60, "memory_mb": None, "database_id": database_id}
    lab.store.transact(lambda tx: tx.run("beat", **about))


def chain(lab: Lab) -> int:
    lab.workflow("chain", {"a": [], "b": ["a"]})
    return lab.start("chain")


def single(lab: Lab) -> int:
    lab.workflow("one", {"a": []})
    return lab.start("one")


def mapped(lab: Lab, after: list[str] | None = None) -> int:
    """Its map, whose head is the first row or comes after `a`, is ready unless something is before it."""
    tasks = {key: [] for key in after or []} | {"bars": after or []}
    lab.workflow("mapped", tasks, {"bars": {"map": ["AAPL", "IBM"], "params": {"symbol": "{{ item }}"}}})
    return lab.start("mapped")


def undoing(lab: Lab) -> int:
    """Two tasks have ended and one has failed; the first of three compensations is ready."""
    undo = Job(name="undo", module="", file="work.py", hash="h")
    work = Job(name="work", module="", file="work.py", hash="h", compensation="undo")
    lab.jobs.own = {"work": work, "undo": undo}
    lab.workflow("loads", {"a": [], "b": ["a"], "c": ["b"]}, saga=True)
    number = lab.start("loads")
    lab.run({"c": FAILED})
    lab.compensate.tick()
    return number


def waiting(lab: Lab) -> int:
    """Its only task waits for a signal."""
    lab.define("waits", {"a": {"wait_for": {"signal": "loaded"}}})
    return lab.start("waits")


def nesting(lab: Lab, after: list[str] | None = None) -> int:
    """Its task `us` starts an instance of another workflow, or comes after `a`."""
    lab.define("load_market", {"bars": {"job": "work"}})
    tasks = {key: {"job": "work"} for key in after or []}
    lab.define("nightly", tasks | {"us": {"workflow": "load_market", "after": after or []}})
    return lab.start("nightly")
