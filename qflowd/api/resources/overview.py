"""What the first page shows: is anything wrong, what runs, what comes next."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from qflowd.api.access.hidden import sees_names
from qflowd.api.answers import Item
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.finding.failures import conditions, groups
from qflowd.api.finding.instance_items import InstanceItem, instance_items
from qflowd.api.finding.when import Between, with_ids
from qflowd.api.reading import Query
from qflowd.api.resources.hosts import DaemonItem, FaultyFile, faulty_files_of, list_daemons
from qflowd.api.routing import route
from qflowd.api.row_fields import items_of
from qflowd.model.instants import FOREVER
from qflowd.model.roles import Role

FIRES: Final = 10
RUNNING: Final = 20
FAILURES: Final = 500  # the newest, which are grouped
GROUPS: Final = 50


class NextFire(Item):
    """A schedule that fires soon."""

    workflow: str
    schedule: str
    at: datetime


class FailingTask(Item):
    """Failures of one task of a workflow for the same sort of error; `instance_id`, `task_id` and `error`: of the newest."""

    workflow: str | None
    task: str
    error_class: str
    error: str | None
    count: int
    newest_at: datetime | None
    first_at: datetime | None
    instance_id: int
    task_id: str


class Overview(Item):
    """`states`: of the instances made since `since`, and of all that are open. `now`: the database's clock.

    `failures`: how many nobody has handled, counted up to 500, the newest, which `failing` has in groups;
    `more_failures`: there may be older ones.
    """

    states: Mapping[str, int]
    since: datetime
    failing: Sequence[FailingTask]
    failures: int
    more_failures: bool
    running: Sequence[InstanceItem]
    fires: Sequence[NextFire]
    daemons: Sequence[DaemonItem]
    oldest_ready_s: float | None
    faulty_files: Sequence[FaultyFile]
    now: datetime


class OverviewQuery(Query):
    """`since`: from when states are counted, such as the beginning of the reader's day; a day ago if it is left out."""

    since: datetime | None = None


@route("GET", "/overview", Role.READ)
def show_overview(call: Call, query: OverviewQuery) -> Overview:
    """What fails, runs and comes next; the same for all who ask within a second."""
    return _SEEN.get(_key(call, query), lambda: overview_of(call, query))


def new_overview(call: Call) -> Overview:
    """What is there now. Nobody gets an older one after it."""
    query = OverviewQuery()
    found = overview_of(call, query)
    _SEEN.put(_key(call, query), found)
    return found


def _key(call: Call, query: OverviewQuery) -> Hashable:
    return call.store.dialect.describe(), call.tenant, sees_names(call), query.since


def overview_of(call: Call, query: OverviewQuery) -> Overview:
    """What fails, runs and comes next, as it is now."""
    now = call.store.clock.now().astimezone(UTC)
    since = query.since or now.replace(second=0, microsecond=0) - timedelta(days=1)
    first = with_ids(call.read, Between(since, FOREVER)).lowest
    states = {row.state: int(row.instances) for row in call.read("count_instances_since", first=first, since=since)}
    ready_at = call.one("find_oldest_ready").ready_at
    failures = groups(call, conditions(), FAILURES, GROUPS, muted=False)
    return Overview(
        states=states,
        since=since,
        failing=items_of(failures.items, FailingTask),
        failures=failures.failures,
        more_failures=failures.has_more,
        running=instance_items(call, [row.id for row in call.read("list_running", batch=RUNNING)]),
        fires=items_of(call.read("list_next_fires", batch=FIRES), NextFire),
        daemons=list_daemons(call),
        oldest_ready_s=None if ready_at is None else max(0.0, (now - ready_at).total_seconds()),
        faulty_files=faulty_files_of(call),
        now=now,
    )


_SEEN: Final[TtlCache[Hashable, Overview]] = TtlCache(1.0)
