"""How the runs of a workflow have gone: day by day, and task by task."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import ApiFault, Item
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.drawing.versions import graphs_of
from qflowd.api.named import workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model import cron
from qflowd.model.quantiles import quantile
from qflowd.model.roles import Role
from qflowd.model.states import ENDED
from qflowd.model.zones import zone as zone_of

MOST_RUNS: Final = 5000  # the newest, from which all is worked out
MEASURED: Final = 20  # the newest that have ended, whose tasks are measured


class DayStats(Item):
    """The runs that were made on a day. `late_s`: the longest time from when a schedule fired to the start of its run."""

    day: date
    runs: int
    failed: int
    p50_s: float | None
    p95_s: float | None
    late_s: float | None


class NodeStats(Item):
    """A task in the newest runs: how often it started, how long it took (a map: all of its items), what failed, retries."""

    key: str
    runs: int
    p50_s: float | None
    p95_s: float | None
    failed: int
    retries: int


class WorkflowStats(Item):
    """`since`: from when on runs are counted; later than asked for where there are more than 5,000.

    `p50_s`, `p95_s`: of successful runs. `measured`: how many runs `nodes` are worked out from, 20 at most.
    """

    since: datetime
    runs: int
    failed: int
    p50_s: float | None
    p95_s: float | None
    days: Sequence[DayStats]
    measured: int
    nodes: Sequence[NodeStats]


class StatsQuery(Query):
    """`zone`: in which a day begins, such as Asia/Shanghai."""

    days: Annotated[int, msgspec.Meta(ge=1, le=730)] = 90
    zone: str = "UTC"


@route("GET", "/workflows/{id}/stats", Role.READ)
def show_workflow_stats(call: Call, id: str, query: StatsQuery) -> WorkflowStats:
    """How many runs there were each day, how long they and their tasks took, and how late they were."""
    workflow = workflow_of(call, id)
    checked_zone(query.zone)
    key = (call.store.dialect.describe(), call.tenant, workflow.id, query.days, query.zone)
    return _SEEN.get(key, lambda: _stats(call, workflow, query))


def _stats(call: Call, workflow: Any, query: StatsQuery) -> WorkflowStats:
    since = call.store.clock.now() - timedelta(days=query.days)
    read = call.read("list_run_times", definition_id=workflow.id, batch=MOST_RUNS)
    runs = [row for row in read if row.created_at >= since]
    if len(runs) == MOST_RUNS:
        since = runs[-1].created_at
    zone, by_day = zone_of(query.zone), defaultdict[date, list[Any]](list)
    for row in runs:
        by_day[row.created_at.astimezone(zone).date()].append(row)
    good = [took_s(row) for row in runs if row.state == "SUCCESS"]
    ended = [row for row in runs if row.state in ENDED and row.version_id is not None][:MEASURED]
    return WorkflowStats(
        since=since,
        runs=len(runs),
        failed=count_failed(runs),
        p50_s=quantile(good, 0.5),
        p95_s=quantile(good, 0.95),
        days=[_day(day, by_day[day]) for day in sorted(by_day)],
        measured=len(ended),
        nodes=_nodes(call, workflow, ended),
    )


def _day(day: date, rows: Sequence[Any]) -> DayStats:
    took = [took_s(row) for row in rows if row.state == "SUCCESS"]
    late = [(row.started_at - row.fire_at).total_seconds() for row in rows if row.fire_at and row.started_at]
    return DayStats(
        day=day,
        runs=len(rows),
        failed=count_failed(rows),
        p50_s=quantile(took, 0.5),
        p95_s=quantile(took, 0.95),
        late_s=max(late, default=None),
    )


def _nodes(call: Call, workflow: Any, runs: Sequence[Any]) -> list[NodeStats]:
    """Of the tasks that these runs had, those of the active version first, in its order."""
    if not runs:
        return []
    versions = {row.version_id: row.hash for row in runs}
    if workflow.active_version is not None:
        versions = {workflow.active_version: workflow.hash, **versions}
    graphs = graphs_of(call, versions.items())
    version_of_run = {row.id: row.version_id for row in runs}
    keys = dict.fromkeys(task.key for number in versions if number in graphs for task in graphs[number].nodes)
    by_key: Mapping[str, list[Any]] = {key: [] for key in keys}
    for row in call.read("sum_node_times", rows=[(each.id,) for each in runs]):
        nodes = graphs[version_of_run[row.instance_id]].nodes
        if row.node < len(nodes):
            by_key[nodes[row.node].key].append(row)
    return [
        NodeStats(
            key=key,
            runs=len(rows),
            p50_s=quantile(map(took_s, rows), 0.5),
            p95_s=quantile(map(took_s, rows), 0.95),
            failed=sum(row.failed for row in rows),
            retries=sum(int(row.retries) for row in rows),
        )
        for key, rows in by_key.items()
        if rows
    ]


def checked_zone(name: str) -> None:
    """Raises: ApiFault 40002 for a time zone that is none."""
    try:
        cron.check_timezone(name)
    except ValueError as error:
        raise ApiFault(40002, f"zone: {error}") from None


def took_s(row: Any) -> float | None:
    """How long a run or task took in seconds; None where it has not ended."""
    if row.started_at is None or row.finished_at is None:
        return None
    return float(max(0.0, (row.finished_at - row.started_at).total_seconds()))


def count_failed(rows: Iterable[Any]) -> int:
    """How many of these runs FAILED."""
    return sum(row.state == "FAILED" for row in rows)


_SEEN: Final[TtlCache[Any, WorkflowStats]] = TtlCache(60.0)
