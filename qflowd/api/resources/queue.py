"""The queue: what is ready, how long it has waited, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model.roles import Role

MOST_LANES: Final = 1_000


class QueueEntry(Item):
    """Ready tasks of one pool, job or reason. `oldest_at`: since when the first in turn is ready; `reasons`: why they wait."""

    name: str
    tasks: int
    lanes: int
    oldest_at: datetime | None
    waits_s: float | None
    pools: Sequence[str]
    jobs: Sequence[str]
    reasons: Sequence[str]


class Queue(Item):
    """What is ready, that which has waited longest first."""

    tasks: int
    oldest_at: datetime | None
    items: Sequence[QueueEntry]


class QueueQuery(Query):
    """By what ready tasks are added up."""

    by: Literal["pool", "job", "reason"] = "pool"


@route("GET", "/queue", Role.READ)
def show_queue(call: Call, query: QueueQuery) -> Queue:
    """Tasks that are ready, by pool, job or reason. Those of paused instances and tasks count until they are held."""
    lanes, now = call.read("list_queue", batch=MOST_LANES), call.store.clock.now()
    named: dict[str, list[Any]] = {}
    for lane in lanes:
        name = {"pool": lane.pool, "job": lane.job, "reason": lane.wait_reason or ""}[query.by]
        named.setdefault(name, []).append(lane)
    items = [_entry(name, each, now) for name, each in named.items()]
    items.sort(key=lambda entry: entry.waits_s or 0.0, reverse=True)
    oldest = min((entry.oldest_at for entry in items if entry.oldest_at is not None), default=None)
    return Queue(sum(entry.tasks for entry in items), oldest, items)


def _entry(name: str, lanes: Sequence[Any], now: datetime) -> QueueEntry:
    oldest = min((lane.oldest_at for lane in lanes if lane.oldest_at is not None), default=None)
    return QueueEntry(
        name=name,
        tasks=sum(lane.tasks for lane in lanes),
        lanes=len(lanes),
        oldest_at=oldest,
        waits_s=None if oldest is None else round(max(0.0, (now - oldest).total_seconds()), 3),
        pools=sorted({lane.pool for lane in lanes if lane.pool}),
        jobs=sorted({lane.job for lane in lanes}),
        reasons=sorted({lane.wait_reason for lane in lanes if lane.wait_reason}),
    )
