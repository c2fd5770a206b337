"""What the first page shows: is anything wrong, what runs, what comes next."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from qflowd.api.access.hidden import sees_names
from qflowd.api.answers import Item
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.finding.failures import conditions, groups
from qflowd.api.finding.instance_items import InstanceItem, instance_items
from qflowd.api.finding.when import Between, with_ids
from qflowd.api.row_fields import items_of
from qflowd.api.today.daemons import DaemonItem, FaultyFile, faulty_files_of, live_daemons
from qflowd.api.today.due import DueDate, due_dates
from qflowd.model.instants import FOREVER

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
    """Failures of one task of a workflow for the same sort of error.

    `instance_id`, `business_date`, `task_id` and `error`: of the newest.
    """

    workflow: str | None
    task: str
    error_class: str
    error: str | None
    count: int
    newest_at: datetime | None
    first_at: datetime | None
    instance_id: int
    task_id: str
    business_date: date | None


class Overview(Item):
    """`states`: of the instances made since `since`, and of all that are open. `now`: the database's clock.

    `failures`: how many nobody has handled, counted up to 500, the newest, which `failing` has in groups;
    `more_failures`: there may be older ones. `due`: the ten latest dates that are late, and those expected within the hour.
    """

    states: Mapping[str, int]
    since: datetime
    failing: Sequence[FailingTask]
    failures: int
    more_failures: bool
    due: Sequence[DueDate]
    running: Sequence[InstanceItem]
    fires: Sequence[NextFire]
    daemons: Sequence[DaemonItem]
    oldest_ready_s: float | None
    faulty_files: Sequence[FaultyFile]
    now: datetime


def seen_overview(call: Call, since: datetime | None = None) -> Overview:
    """As `overview_of`; the same for all who ask within a second."""
    return _SEEN.get(_key(call, since), lambda: overview_of(call, since))


def new_overview(call: Call) -> Overview:
    """What is there now. Nobody gets an older one after it."""
    found = overview_of(call)
    _SEEN.put(_key(call, None), found)
    return found


def _key(call: Call, since: datetime | None) -> Hashable:
    return call.store.dialect.describe(), call.tenant, sees_names(call), since


def overview_of(call: Call, since: datetime | None = None) -> Overview:
    """What fails, runs and comes next, as it is now.

    `since`: from when states are counted; a day ago if it is left out.
    """
    now = call.store.clock.now().astimezone(UTC)
    since = since or now.replace(second=0, microsecond=0) - timedelta(days=1)
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
        due=due_dates(call, now),
        running=instance_items(call, [row.id for row in call.read("list_running", batch=RUNNING)]),
        fires=items_of(call.read("list_next_fires", batch=FIRES), NextFire),
        daemons=live_daemons(call),
        oldest_ready_s=None if ready_at is None else max(0.0, (now - ready_at).total_seconds()),
        faulty_files=faulty_files_of(call),
        now=now,
    )


_SEEN: Final[TtlCache[Hashable, Overview]] = TtlCache(1.0)
