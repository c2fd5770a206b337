"""How the runs of all workflows have gone: by workflow, by task, or by day."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from qflowd.api.answers import Item
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.drawing.versions import graphs_of
from qflowd.api.finding.when import Between, with_ids
from qflowd.api.reading import Query
from qflowd.api.resources.stats import checked_zone, count_failed, took_s
from qflowd.api.routing import route
from qflowd.model.instants import FOREVER
from qflowd.model.quantiles import quantile
from qflowd.model.roles import Role
from qflowd.model.states import ENDED
from qflowd.model.zones import zone as zone_of

MOST_RUNS: Final = 5000  # the newest, from which all is worked out
MEASURED: Final = 100  # the newest that have ended, whose tasks are measured


class StatsEntry(Item):
    """A workflow (or a `job` that runs by itself), a task of one, or a day. `retries`: of a task.

    `p50_s`, `p95_s`: how long successful runs took; of a task: all that have ended.
    """

    workflow: str | None
    job: str | None
    task: str | None
    day: date | None
    runs: int
    failed: int
    retries: int | None
    p50_s: float | None
    p95_s: float | None


class StatsOfAll(Item):
    """`since`: from when on runs are counted; later than asked for where there are more than 5,000.

    `measured`: how many runs tasks are worked out from, 100 at most; null where it is not by task.
    """

    since: datetime
    runs: int
    failed: int
    measured: int | None
    items: Sequence[StatsEntry]


class TotalsQuery(Query):
    """By what runs are added up. `zone`: in which a day begins, such as Asia/Shanghai."""

    by: Literal["workflow", "task", "day"] = "workflow"
    days: Annotated[int, msgspec.Meta(ge=1, le=730)] = 7
    zone: str = "UTC"


@route("GET", "/stats", Role.READ)
def show_stats(call: Call, query: TotalsQuery) -> StatsOfAll:
    """How many runs there were, what failed, and how long they took: of each workflow, task or day."""
    checked_zone(query.zone)
    key = (call.store.dialect.describe(), call.tenant, query.by, query.days, query.zone)
    return _SEEN.get(key, lambda: _stats(call, query))


def _stats(call: Call, query: TotalsQuery) -> StatsOfAll:
    since = call.store.clock.now() - timedelta(days=query.days)
    lowest = with_ids(call.read, Between(since, FOREVER)).lowest
    read = call.read("list_run_times_of_all", lowest=lowest, batch=MOST_RUNS)
    runs = [row for row in read if row.created_at >= since]
    if len(runs) == MOST_RUNS:
        since = runs[-1].created_at
    items, measured = {"workflow": _by_workflow, "day": _by_day, "task": _by_task}[query.by](call, runs, query)
    return StatsOfAll(since=since, runs=len(runs), failed=count_failed(runs), measured=measured, items=items)


def _by_workflow(_: Call, runs: Sequence[Any], __: TotalsQuery) -> tuple[list[StatsEntry], None]:
    """Those with the most runs first."""
    found = defaultdict[Any, list[Any]](list)
    for row in runs:
        found[row.workflow, None if row.workflow else row.job].append(row)
    items = [_entry(rows, workflow=workflow, job=job) for (workflow, job), rows in found.items()]
    return sorted(items, key=lambda item: (-item.runs, item.workflow or item.job or "")), None


def _by_day(_: Call, runs: Sequence[Any], query: TotalsQuery) -> tuple[list[StatsEntry], None]:
    zone, found = zone_of(query.zone), defaultdict[date, list[Any]](list)
    for row in runs:
        found[row.created_at.astimezone(zone).date()].append(row)
    return [_entry(found[day], day=day) for day in sorted(found)], None


def _by_task(call: Call, runs: Sequence[Any], _: TotalsQuery) -> tuple[list[StatsEntry], int]:
    """Those that took the longest first."""
    ended = [row for row in runs if row.state in ENDED and row.version_id is not None][:MEASURED]
    graphs = graphs_of(call, {row.version_id: row.hash for row in ended}.items()) if ended else {}
    run_of = {row.id: row for row in ended if row.version_id in graphs}
    found = defaultdict[Any, list[Any]](list)
    for row in call.read("sum_node_times", rows=[(number,) for number in run_of]) if run_of else ():
        run = run_of[row.instance_id]
        nodes = graphs[run.version_id].nodes
        if row.node < len(nodes):
            found[run.workflow, nodes[row.node].key].append(row)
    items = [_task_entry(workflow, task, rows) for (workflow, task), rows in found.items()]
    return sorted(items, key=lambda item: (-(item.p50_s or 0.0), item.workflow or "", item.task or "")), len(ended)


def _task_entry(workflow: str | None, task: str, rows: Sequence[Any]) -> StatsEntry:
    failed, retries = sum(row.failed for row in rows), sum(int(row.retries) for row in rows)
    return _entry(rows, [took_s(row) for row in rows], failed=failed, workflow=workflow, task=task, retries=retries)


def _entry(rows: Sequence[Any], took: Sequence[float | None] | None = None, **about: Any) -> StatsEntry:
    if took is None:
        took = [took_s(row) for row in rows if row.state == "SUCCESS"]
        about["failed"] = count_failed(rows)
    fields: dict[str, Any] = dict.fromkeys(("workflow", "job", "task", "day", "retries")) | about
    return StatsEntry(runs=len(rows), p50_s=quantile(took, 0.5), p95_s=quantile(took, 0.95), **fields)


_SEEN: Final[TtlCache[Any, StatsOfAll]] = TtlCache(60.0)
