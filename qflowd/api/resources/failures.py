"""Failures: what has failed and waits for somebody, one by one or in groups, and what has been handled."""

from functools import partial
from typing import Any, Final

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.finding.failures import FailureItem, conditions, find, grouped, groups, item_of, items_with
from qflowd.api.finding.streams import page_of_ids
from qflowd.api.finding.when import instants
from qflowd.api.paging import Id, ListPage, PageQuery, Small, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role

MOST_GROUPED: Final = 5_000  # of the newest failures


class FailuresQuery(PageQuery):
    """Which failures. `handled`: those that somebody has handled; `group`: by workflow, task and class of the error.

    `workflow` and `error_class` are globs; `since` is such as `2d`. `muted`: of groups, those alone that are, or are not.
    """

    handled: bool = False
    group: bool = False
    workflow: str | None = None
    task: str | None = None
    error_class: str | None = None
    since: str | None = None
    muted: bool | None = None


@route("GET", "/failures", Role.READ, does="views failures, handled_failures")
def list_failures(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    """What has failed, that of the newest instances first. Groups are those of the newest 5,000 failures, all on one page."""
    if query.muted is not None and (query.handled or not query.group):
        raise ApiFault(40002, "muted: failures are muted in groups, until they are handled; ask with group=1")
    if query.group:
        return _groups(call, query)
    if query.handled:
        return _handled(call, query)
    return page_of_ids(query, partial(find, call, _conditions(call, query)), partial(items_with, call))


def _conditions(call: Call, query: FailuresQuery) -> dict[str, Any]:
    since = instants(call.store.clock.now(), query.since, None, None).first_at
    return conditions(query.workflow, query.task, query.error_class, since)


def _handled(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    before, fence = read_cursor(query, tuple[Id, Small]) or (ABOVE_ALL_IDS, 0)
    rows = _read_handled(call, query, before, fence, query.limit + 1)
    return page_of(query, rows, "id", "fence", make=item_of)


def _groups(call: Call, query: FailuresQuery) -> ListPage[FailureItem]:
    """`total`: how many groups there are, `more`: older failures."""
    if not query.handled:
        found = groups(call, _conditions(call, query), MOST_GROUPED, query.limit, muted=query.muted)
        return ListPage(found.items, None, found.groups, found.has_more)
    rows = _read_handled(call, query, ABOVE_ALL_IDS, 0, MOST_GROUPED)
    items = grouped(map(item_of, rows))
    return ListPage(items[: query.limit], None, len(items), len(rows) == MOST_GROUPED)


def _read_handled(call: Call, query: FailuresQuery, before: int, fence: int, batch: int) -> list[Any]:
    where = _conditions(call, query)
    where["handled_since_at"] = where.pop("since")
    return call.read("list_handled_failures", **where, before=before, before_fence=fence, batch=batch)
