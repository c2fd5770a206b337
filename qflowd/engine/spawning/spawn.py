"""Spawn: a task that has succeeded waits for the tasks that it asked for, as the head of a map waits for its items.

Its own row is PENDING again in the transaction that accepts its success, with its output, and ends as they do. What
comes after it and the instance know of nothing else.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from qflowd.engine.finishing.large_outputs import LARGEST_INLINE, save_large
from qflowd.engine.finishing.outcome import AttemptRow, FinalRow
from qflowd.engine.ordinals import TakenOrdinals
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.upstreams import load_large
from qflowd.model import jsontext
from qflowd.model.ids import ORDINALS, instance_of, task_id
from qflowd.model.states import SUCCESS, Reason, TaskState
from qflowd.store.tx import Tx
from qflowd.workers.wire import LARGEST_OUTPUT


class SpawnRequest(NamedTuple):
    """What an attempt that has succeeded asked for: JSON text, as the worker sent it."""

    task_id: int
    fence: int
    text: str


class NewTask(NamedTuple):
    """A task to be made. `after`: the places of those that it waits for; `priority`: as stored, negated."""

    name: str
    label: str
    lane: int
    priority: int
    params: str
    settings: str
    after: Sequence[int]


class SpawnGrant(NamedTuple):
    """What the attempt of this fence has asked for, checked. `depth`: 1 for what a task of the plan spawns."""

    task_id: int
    fence: int
    depth: int
    tasks: Sequence[NewTask]


def add(tx: Tx, grants: Sequence[SpawnGrant], final: Sequence[FinalRow]) -> tuple[list[FinalRow], TakenOrdinals]:
    """Make the spawned tasks of those that succeeded, after their rows were accepted.

    Returns: the ends of the others, which are ends indeed; the ordinals that were taken and are to be reserved.
    """
    fences = {row.id: row.fence for row in final if row.state == SUCCESS}
    spawns = sorted(grant for grant in grants if fences.get(grant.task_id) == grant.fence)
    taken = TakenOrdinals(tx, (instance_of(spawn.task_id) for spawn in spawns))
    returned = {row.id for row in final if row.output is not None}
    spawners: list[tuple[int, int, int, int]] = []
    tasks: list[Any] = []
    rows: list[Any] = []
    edges: list[tuple[int, int]] = []
    inputs: list[tuple[int, str]] = []
    for spawn in spawns:
        number = instance_of(spawn.task_id)
        ordinal = taken.take(number, len(spawn.tasks))
        first = task_id(number, ordinal)
        spawners.append((spawn.task_id, ordinal, len(spawn.tasks), int(spawn.task_id in returned)))
        for i, task in enumerate(spawn.tasks):
            waits = len(task.after)
            state = TaskState.PENDING if waits else TaskState.READY
            about = int(state), task.lane, task.priority, waits, None if waits else tx.now
            tasks.append((first + i, spawn.task_id, i, task.label, *about))
            rows.append((first + i, task.name, task.settings, spawn.depth))
            inputs.append((first + i, task.params))
            edges += [(first + i, spawn.task_id), *((first + place, first + i) for place in task.after)]
    tx.run("await_spawned", rows=[(spawn.task_id, spawn.fence + 1) for spawn in spawns])
    tx.run("save_spawners", rows=spawners)
    tx.run("insert_spawned_tasks", rows=tasks)
    tx.run("insert_spawned", rows=rows)
    tx.run("insert_task_inputs", rows=inputs)
    tx.run("insert_edges", rows=sorted(edges))
    waiting = {spawn.task_id for spawn in spawns}
    return [row for row in final if row.id not in waiting], taken


def advance(tx: Tx, instances: Instances, arrivals: Sequence[tuple[int, int, int, int]]) -> list[Any]:
    """Tell spawners of the ends of what they spawned: rows of (spawner, ended, not failed, failed), sorted.

    Returns: the spawners that have ended with it.
    """
    ids = [(row[0],) for row in arrivals]
    tx.run("lock_heads", rows=ids)
    tx.run("advance_spawners", rows=[(spawner, ended, bad) for spawner, ended, _, bad in arrivals])
    ended = []
    for row in tx.run("find_ended_spawners", rows=ids):
        error = _why(tx, instances, row) if row.bad_tasks else None if row.returned else _collect(tx, row)
        if error is not None:
            _note(tx, row, error)
        state, reason = (TaskState.SUCCESS, Reason.NONE) if error is None else (TaskState.FAILED, Reason.ERROR)
        ended.append(row._replace(state=int(state), reason=int(reason)))
    if ended:
        rows = [(row.id, row.state, row.reason, int(row.state == TaskState.FAILED)) for row in ended]
        tx.run("end_spawners", rows=rows, now=tx.now)
    return ended


def _collect(tx: Tx, spawner: Any) -> str | None:
    """Give a spawner that returned nothing the outputs of its tasks by name. Returns why that is not possible."""
    members = []
    size = 0
    for row in tx.run("list_spawned", **_range_of(spawner)):
        output = row.output or (load_large(tx, row) if row.large_id is not None else None) or "null"
        members.append(f"{jsontext.dump(row.name)}:{output}")
        size += len(members[-1]) + 1
        if size > LARGEST_OUTPUT:
            return (
                f"what its spawned tasks returned is larger than {LARGEST_OUTPUT:,} bytes together; return a value from "
                "the job that spawned them, and that is kept in its place"
            )
    text = "{" + ",".join(members) + "}"
    if len(text) > LARGEST_INLINE:
        save_large(tx, spawner.id, text)
    else:
        tx.run("save_outputs", rows=[(spawner.id, text)])
    return None


def _why(tx: Tx, instances: Instances, spawner: Any) -> str:
    error = f"{spawner.bad_tasks:,} of {spawner.tasks:,} spawned tasks did not succeed"
    if (row := tx.one("first_failed_item", **_range_of(spawner))) is not None:
        error += f"; the first: {instances[instance_of(spawner.id)].plan.name_of(row)}: {row.error or 'failed'}"
    return error


def _range_of(spawner: Any) -> dict[str, Any]:
    """The ids of what it spawned."""
    first = spawner.id - spawner.id % ORDINALS + spawner.first_ordinal
    return {"first": first, "last": first + spawner.tasks - 1}


def _note(tx: Tx, row: Any, error: str) -> None:
    """What people read of a spawner that failed after its attempt had succeeded."""
    state, reason = int(TaskState.FAILED), int(Reason.ERROR)
    about = row.id, row.fence, row.attempt, state, reason, row.started_at, tx.now
    tx.run("insert_attempts", rows=[AttemptRow(*about, error=error[:2000])], daemon_id=None)
