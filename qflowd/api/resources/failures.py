"""Failures: what has failed and waits for somebody, one by one or in groups, and what has been handled."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.patterns import of_glob
from qflowd.api.finding.streams import FoundIds, IdStream, meet
from qflowd.api.finding.when import above_newest, instants
from qflowd.api.paging import MOST_COUNTED, ListPage, PageQuery, cursor_of, read_cursor
from qflowd.api.routing import route
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS
from qflowd.model.roles import Role

END: Final = (LARGEST_INSTANCE + 1) * ORDINALS
FIRST_SPAN: Final = 2_000 * ORDINALS
MOST_GROUPED: Final = 5_000  # of the newest failures


class FailureItem(Item):
    """A task that failed and that nobody has handled, or, with `handled_at`, one that somebody has.

    Of a group it is the newest; `count` and `first_at` are then those of the group.
    """

    task_id: str
    fence: int
    instance_id: int
    workflow: str | None
    task: str
    map_index: int | None
    label: str | None
    kind: str
    business_date: date | None
    error_class: str
    error: str | None
    attempts: int
    failed_at: datetime | None
    state: str
    instance_state: str
    trigger_type: str
    job: str
    handled_at: datetime | None
    handled_by: str | None
    note: str | None
    count: int
    first_at: datetime | None
    newest_at: datetime | None


class FailuresQuery(PageQuery):
    """Which failures. `handled`: those that somebody has handled; `group`: by workflow, task and class of the error.

    `workflow` and `error_class` are globs; `since` is such as `2d`.
    """

    handled: bool = False
    group: bool = False
    workflow: str | None = None
    task: str | None = None
    error_class: str | None = None
    since: str | None = None


@route("GET", "/failures", Role.READ, errors=(40002, 40003), does="views failures, handled_failures")
def list_failures(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    """What has failed, that of the newest instances first. Groups are those of the newest 5,000 failures, all on one page."""
    if query.group:
        return _groups(call, query)
    if query.handled:
        return _handled(call, query)
    key = read_cursor(query)
    found = _find(call, query, key[0] if key else END, query.limit)
    page = ListPage(_items(call, found.ids), None if found.before is None else cursor_of(query, found.before))
    if query.total:
        counted = _find(call, query, END, MOST_COUNTED)
        page.total, page.more = len(counted.ids), counted.before is not None
    return page


def _find(call: Call, query: FailuresQuery, before: int, limit: int) -> FoundIds:
    where, before = _conditions(call, query), min(before, above_newest(call.read) * ORDINALS)
    names = ("find_failures_ended", "find_failures_waiting")
    return meet(call.read, [IdStream(name, where, before, 0, is_narrow=True, span=FIRST_SPAN) for name in names], limit)


def _conditions(call: Call, query: FailuresQuery) -> dict[str, Any]:
    texts = {"workflow": of_glob(query.workflow), "task": query.task or "", "error_class": of_glob(query.error_class)}
    return texts | {"since": instants(call.store.clock.now(), query.since, None, None).first_at}


def _items(call: Call, ids: Sequence[int]) -> list[FailureItem]:
    rows = {row.id: row for row in call.read("list_failure_items", rows=[(id,) for id in ids])} if ids else {}
    return [_item(rows[id]) for id in ids if id in rows]


def _item(row: Any) -> FailureItem:
    fields: dict[str, Any] = row._asdict()
    handled = {name: fields.get(name) for name in ("handled_at", "handled_by", "note")}
    times = {"count": 1, "first_at": row.failed_at, "newest_at": row.failed_at}
    return FailureItem(task_id=str(fields.pop("id")), **fields | handled | times)


def _handled(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    before, fence = read_cursor(query) or (END, 0)
    rows = _read_handled(call, query, before, fence, query.limit + 1)
    page = ListPage([_item(row) for row in rows[: query.limit]])
    if len(rows) > query.limit:
        page.next = cursor_of(query, rows[query.limit - 1].id, rows[query.limit - 1].fence)
    return page


def _groups(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    """Each group as its newest failure, that which failed last first; `total`: how many groups, `more`: older failures."""
    if query.handled:
        rows = _read_handled(call, query, END, 0, MOST_GROUPED)
        items, has_more = [_item(row) for row in rows], len(rows) == MOST_GROUPED
    else:
        found = _find(call, query, END, MOST_GROUPED)
        items, has_more = _items(call, found.ids), found.before is not None
    groups: dict[Any, FailureItem] = {}
    for item in items:
        group = groups.setdefault((item.workflow, item.task, item.error_class), item)
        if group is not item:
            group.count += 1
            newest, oldest = _latest(group, item)
            group.newest_at, group.first_at = newest, oldest
    ordered = sorted(groups.values(), key=lambda group: str(group.newest_at or ""), reverse=True)
    return ListPage(ordered[: query.limit], None, len(groups), has_more)


def _read_handled(call: Call, query: FailuresQuery, before: int, fence: int, batch: int) -> list[Any]:
    where = _conditions(call, query)
    where["handled_since_at"] = where.pop("since")
    return call.read("list_handled_failures", **where, before=before, before_fence=fence, batch=batch)


def _latest(group: FailureItem, item: FailureItem) -> tuple[datetime | None, datetime | None]:
    times = [each for each in (group.newest_at, group.first_at, item.failed_at) if each is not None]
    return max(times, default=None), min(times, default=None)
