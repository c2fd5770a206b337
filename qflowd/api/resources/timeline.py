"""When the tasks of an instance ran: a row a task, a map as how many of its items ran when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.named import no_such_instance
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model.ids import key_range
from qflowd.model.quantiles import quantile
from qflowd.model.roles import Role
from qflowd.model.states import TaskKind, TaskState, words
from qflowd.model.timeline import critical_path, running_in_bins

USUAL: Final = 20  # earlier instances that tell how long a task usually takes
MOST_TIMES: Final = 4_000  # of tasks of these, together
SHORTEST_BIN_S: Final = 0.001
KINDS: Final = words(TaskKind)


class TimelineRow(Item):
    """A task of an instance. `count`: of the rows that it has, items of a map among them; 0 before it has begun.

    `bins`: of a task with several rows, how many ran in each part of the time; `p50_s`, `p95_s`: how long it took in
    earlier instances of the version; `critical`: the instance ended when it did because of this task.
    """

    node: int
    key: str
    kind: str
    count: int
    ready_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    bins: Sequence[int] | None
    p50_s: float | None
    p95_s: float | None
    state: str
    critical: bool


class Timeline(Item):
    """The time from the start of an instance to its end, or to now, and its tasks in the order of the workflow."""

    from_: datetime
    to: datetime
    rows: Sequence[TimelineRow]


class TimelineQuery(Query):
    """Into how many parts the time is cut."""

    bins: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


@route("GET", "/instances/{id}/timeline", Role.READ, does="view tasks, by node")
def show_timeline(call: Call, id: int, query: TimelineQuery) -> Timeline:
    """When the tasks of an instance ran."""
    head = call.one("show_timeline_head", instance_id=id)
    if head is None:
        raise no_such_instance(call, id)
    end = head.finished_at or max(call.store.clock.now(), head.started_at)
    names = (
        {row.node: row for row in call.read("list_timeline_names", version_id=head.version_id)}
        if head.version_id
        else {}
    )
    nodes = {row.node: row for row in call.read("list_timeline_nodes", instance_id=id, **key_range(id))}
    bins = _bins(call, id, head.started_at, end, query.bins) if any(row.tasks > 1 for row in nodes.values()) else {}
    usual = _usual_times(call, head, len(names))
    edges = (
        [(row.node, row.parent) for row in call.read("list_timeline_edges", version_id=head.version_id)]
        if names
        else []
    )
    ends = {
        node: row.finished_at if not row.unended and row.finished_at else end
        for node, row in nodes.items()
        if row.started_at
    }
    critical = critical_path(ends, edges)
    rows = []
    for node in sorted(names.keys() | nodes.keys()):
        key = names[node].task if node in names else head.job
        about = {"key": key, "critical": node in critical, "bins": bins.get(node)}
        if node in names and not names[node].pool:
            about["kind"] = "child"
        rows.append(_row(node, nodes.get(node), usual.get(node, []), about))
    return Timeline(from_=head.started_at, to=end, rows=rows)


def _row(node: int, row: Any, times: Sequence[float], about: Mapping[str, Any]) -> TimelineRow:
    """Of a node; `row`: what its rows are together, None before there are any."""
    fields: dict[str, Any] = {"kind": "task", "count": 0, "state": TaskState.PENDING.name, **about}
    fields |= dict.fromkeys(("ready_at", "started_at", "finished_at"))
    if row is not None:
        state = TaskState.RUNNING if row.running else TaskState(row.state if row.state is not None else 0)
        fields |= {"kind": KINDS[row.kind or 0], "count": row.tasks, "state": state.name, "ready_at": row.ready_at}
        fields |= {"started_at": row.started_at, "finished_at": None if row.unended else row.finished_at}
    if fields["count"] <= 1:
        fields["bins"] = None
    return TimelineRow(node=node, p50_s=quantile(times, 0.5), p95_s=quantile(times, 0.95), **fields)


def _bins(call: Call, id: int, start: datetime, end: datetime, bins: int) -> dict[int, list[int]]:
    width = max((end - start).total_seconds() / bins, SHORTEST_BIN_S)
    changes: dict[int, list[tuple[int, int, int]]] = {}
    for row in call.read("list_timeline_bins", instance_id=id, **key_range(id), from_at=start, width=width):
        changes.setdefault(row.node, []).append((int(row.first_bin), row.tasks, 0))
        if row.last_bin is not None:
            changes[row.node].append((int(row.last_bin), 0, row.tasks))
    return {node: running_in_bins(each, bins) for node, each in changes.items()}


def _usual_times(call: Call, head: Any, nodes: int) -> Mapping[int, list[float]]:
    """How long each node took in the newest good instances before this one."""
    times: dict[int, list[float]] = {}
    if not nodes or head.definition_id is None:
        return times
    where = {"definition_id": head.definition_id, "version_id": head.version_id, "before": head.id}
    batch = max(3, min(USUAL, MOST_TIMES // nodes))
    if earlier := [(row.id,) for row in call.read("list_usual_instances", **where, batch=batch)]:
        for row in call.read("list_usual_times", rows=earlier):
            if row.duration_s is not None:
                times.setdefault(row.node, []).append(row.duration_s)
    return times
