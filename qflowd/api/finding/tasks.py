"""Tasks across instances: only what an index finds, so that no request reads all tasks there are."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.finding import rows as rows_of_one
from qflowd.api.finding.instances import InstanceFilter
from qflowd.api.finding.instances import find as find_instances
from qflowd.api.finding.rows import Rows
from qflowd.api.finding.streams import PATIENCE_S, IdStream, meet
from qflowd.api.finding.when import Between, above_newest
from qflowd.api.paging import Id, foreign_cursor
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE, ORDINALS
from qflowd.model.states import TaskState

HELD_BY_DAEMONS: Final = frozenset({TaskState.RESERVED, TaskState.RUNNING})
INDEXED: Final = HELD_BY_DAEMONS | {TaskState.READY, TaskState.FAILED}
LONGEST: Final = timedelta(days=7)
FIRST_SPAN: Final = 2_000 * ORDINALS  # the failed rows of so many instances are looked at by the first statement
LANES: Final = 500  # asked for at once
PARTS: Final = {0: 1, 1: 3, 2: 1}  # of the list of indexed states: how many numbers are the key of a row


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What is asked for; all of it must fit."""

    between: Between
    states: frozenset[TaskState]
    workflow: str | None = None
    task: str | None = None
    job: str | None = None
    pool: str | None = None

    @property
    def conditions(self) -> dict[str, Any]:
        """Parameters that the statements have in common."""
        texts = {"workflow": self.workflow, "task": self.task, "job": self.job, "pool": self.pool}
        instants = {"created_from_at": self.between.first_at, "created_to_at": self.between.end_at}
        return {name: text or "" for name, text in texts.items()} | instants


def key_kind(states: frozenset[TaskState]) -> Any:
    """What the key of a page of these states is made of, as `read_cursor` takes it."""
    return tuple[int, ...] if states <= INDEXED else tuple[Id, Id]


def find(call: Call, wanted: TaskFilter, key: tuple[int, ...] | None, limit: int) -> Rows:
    """Rows that fit. Of indexed states those that daemons hold come first, then the lanes, then what failed.

    Raises: ApiFault 42206 for what no index finds; 40003 for a key of another shape.
    """
    if wanted.states <= INDEXED:
        return _of_states(call, wanted, _checked((0,) if key is None else key), limit)
    length = min(wanted.between.end_at, call.store.clock.now()) - wanted.between.first_at
    if wanted.workflow is None or length > LONGEST + timedelta(minutes=1):
        raise ApiFault(
            42206,
            "narrow the search: name an instance, or states of READY, RESERVED, RUNNING and FAILED alone, "
            "or a workflow and at most 7 days (since=7d)",
        )
    if wanted.job is not None or wanted.pool is not None:
        raise ApiFault(
            42206, "job and pool are looked for among READY, RESERVED, RUNNING and FAILED tasks alone; name states"
        )
    return _of_workflow(call, wanted, key, limit)


def _checked(key: Sequence[int]) -> Sequence[int]:
    """The number of a part, and the key of its last row, if it has begun. Raises: ApiFault 40003."""
    part, *last = key or (-1,)
    if (
        part not in PARTS
        or len(last) not in (0, PARTS[part])
        or not all(-(1 << 15) <= x <= ABOVE_ALL_IDS for x in last)
    ):
        raise foreign_cursor()
    return key


def _of_states(call: Call, wanted: TaskFilter, key: Sequence[int], limit: int) -> Rows:
    found: list[Any] = []
    parts = ((HELD_BY_DAEMONS, _held), (frozenset({TaskState.READY}), _ready), (frozenset({TaskState.FAILED}), _failed))
    for number, (states, part) in enumerate(parts):
        if number < key[0] or not states & wanted.states:
            continue
        rows, rest = part(call, wanted, key[1:] if number == key[0] else [], limit - len(found))
        found += rows
        if rest is not None:
            return Rows(found, [number, *rest])
        if len(found) == limit and number < len(parts) - 1:
            return Rows(found, [number + 1])
    return Rows(found, None)


def _held(call: Call, wanted: TaskFilter, key: Sequence[int], limit: int) -> Rows:
    states = "".join(str(int(state)) for state in sorted(wanted.states & HELD_BY_DAEMONS))
    before = key[0] if key else ABOVE_ALL_IDS
    rows = call.read("find_ids_held", **wanted.conditions, states=states, before=before, batch=limit + 1)
    return Rows(rows[:limit], [rows[limit - 1].id] if len(rows) > limit else None)


def _ready(call: Call, wanted: TaskFilter, key: Sequence[int], limit: int) -> Rows:
    lane, priority, after = key or (0, -(1 << 15), 0)
    where, found = wanted.conditions, list[Any]()
    lanes = {name: where.pop(name) for name in ("job", "pool")}
    for each in call.read("list_lanes_from", **lanes, lane=lane, batch=LANES):
        begins = {"priority": priority, "after": after} if each.id == lane else {"priority": -(1 << 15), "after": 0}
        rows = call.read("find_ids_ready", **where, lane=each.id, **begins, batch=limit - len(found) + 1)
        found += rows
        if len(found) > limit:
            last = found[limit - 1]
            return Rows(found[:limit], [last.lane, last.priority, last.id])
    return Rows(found, None)


def _failed(call: Call, wanted: TaskFilter, key: Sequence[int], limit: int) -> Rows:
    before = key[0] if key else above_newest(call.read) * ORDINALS
    stream = IdStream("find_ids_failed_tasks", wanted.conditions, before, 0, is_narrow=True, span=FIRST_SPAN)
    ids, before_next = meet(call.read, [stream], limit)
    rows = [SimpleNamespace(id=id, node=0, lane=0, state=TaskState.FAILED) for id in ids]
    return Rows(rows, None if before_next is None else [before_next])


def _of_workflow(call: Call, wanted: TaskFilter, key: Sequence[int] | None, limit: int) -> Rows:
    """Instance by instance, the newest first, each in the order of its rows."""
    until = time.monotonic() + PATIENCE_S
    instance, after = key or (LARGEST_INSTANCE, 0)
    among = InstanceFilter(wanted.between, workflow=wanted.workflow)
    ids, before = find_instances(call.read, among, instance + 1, limit)
    found: list[Any] = []
    for place, id in enumerate(ids):
        if place and time.monotonic() > until:
            return Rows(found, [id, 0])
        try:
            of = rows_of_one.rows_of(call, id, wanted.task)
        except ApiFault:
            continue  # a version without that task
        rows, rest = rows_of_one.in_order(
            call, of, wanted.states, None, after if id == instance else 0, limit - len(found)
        )
        found += rows
        if rest is not None:
            return Rows(found, [id, rest[0]])
        if len(found) == limit:
            return Rows(found, [id - 1, 0])
    return Rows(found, None if before is None else [before - 1, 0])
