"""The 44 paths of the scheduler that qflowd takes over from, letter by letter: other names for routes of /api/v1.

Lists take `page` and `size` there. Numbers are tried before keys, and If-Match may be missing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.named import workflow_of
from qflowd.api.paging import LARGEST_PAGE, ListPage, PageQuery
from qflowd.api.reading import Query
from qflowd.api.routing import ENDPOINTS, PREFIX, Endpoint

DEEPEST: Final = 10_000  # items: a list is read from its start, so what lies deeper is found by filters
_PAGING: Final = ("limit", "cursor", "total")
_LISTS: Final = ("/list", "/runs", "/nodes")

# Its number, method and path there, and what it is here. Both name their parameters alike.
TABLE: Final = """
 1 POST   /task-type                                              /task-types
 2 PUT    /task-type/{id}                                         /task-types/{id}
 3 DELETE /task-type/{id}                                         /task-types/{id}
 4 GET    /task-type/{id}                                         /task-types/{id}
 5 GET    /task-type/list                                         /task-types
 6 POST   /task                                                   /task-definitions
 7 PUT    /task/{id}                                              /task-definitions/{id}
 8 DELETE /task/{id}                                              /task-definitions/{id}
 9 GET    /task/{id}                                              /task-definitions/{id}
10 GET    /task/list                                              /task-definitions
11 POST   /dag                                                    /workflows
12 PUT    /dag/{id}                                               /workflows/{id}
13 DELETE /dag/{id}                                               /workflows/{id}
14 GET    /dag/{id}                                               /workflows/{id}
15 GET    /dag/list                                               /workflows
16 POST   /dag/{dagId}/version                                    /workflows/{dagId}/versions
17 PUT    /dag/{dagId}/version/{versionId}                        /workflows/{dagId}/versions/{versionId}
18 GET    /dag/{dagId}/version/{versionId}                        /workflows/{dagId}/versions/{versionId}
19 GET    /dag/{dagId}/version/list                               /workflows/{dagId}/versions
20 POST   /dag/{dagId}/version/{versionId}/node                   /workflows/{dagId}/versions/{versionId}/nodes
21 PUT    /dag/{dagId}/version/{versionId}/node/{nodeId}          /workflows/{dagId}/versions/{versionId}/nodes/{nodeId}
22 DELETE /dag/{dagId}/version/{versionId}/node/{nodeId}          /workflows/{dagId}/versions/{versionId}/nodes/{nodeId}
23 GET    /dag/{dagId}/version/{versionId}/node/{nodeId}          /workflows/{dagId}/versions/{versionId}/nodes/{nodeId}
24 GET    /dag/{dagId}/version/{versionId}/node/{nodeId}/up       /workflows/{dagId}/versions/{versionId}/nodes/{nodeId}/up
25 GET    /dag/{dagId}/version/{versionId}/node/{nodeId}/down     /workflows/{dagId}/versions/{versionId}/nodes/{nodeId}/down
26 POST   /dag/{dagId}/version/{versionId}/edge                   /workflows/{dagId}/versions/{versionId}/edges
27 DELETE /dag/{dagId}/version/{versionId}/edge/{edgeId}          /workflows/{dagId}/versions/{versionId}/edges/{edgeId}
28 POST   /dag/{dagId}/trigger                                    /workflows/{dagId}/start
29 POST   /dag/{dagId}/pause                                      /workflows/{dagId}/pause
30 POST   /dag/{dagId}/resume                                     /workflows/{dagId}/resume
31 POST   /dag/{dagId}/stop                                       /workflows/{dagId}/stop
32 POST   /dag/{dagId}/retry                                      /workflows/{dagId}/retry
33 POST   /dag/{dagId}/node/{nodeId}/trigger                      /workflows/{dagId}/nodes/{nodeId}/trigger
34 POST   /dag/{dagId}/node/{nodeId}/retry                        /workflows/{dagId}/nodes/{nodeId}/retry
35 POST   /dag/{dagId}/node/{nodeId}/pause                        /workflows/{dagId}/nodes/{nodeId}/pause
36 POST   /dag/{dagId}/node/{nodeId}/resume                       /workflows/{dagId}/nodes/{nodeId}/resume
37 GET    /dag/{dagId}/runs                                       /workflows/{dagId}/instances
38 GET    /dag/{dagId}/run/{runId}                                /instances/{runId}
39 GET    /dag/{dagId}/run/{runId}/nodes                          /instances/{runId}/tasks
40 GET    /dag/{dagId}/run/{runId}/node/{nodeId}                  /instances/{runId}/tasks/{nodeId}
41 GET    /task-instance/{instanceId}/log                         /tasks/{instanceId}/log
42 GET    /task-history/{historyId}                               /attempts/{historyId}
43 GET    /audit/list                                             /audit
44 GET    /task-param/{taskId}                                    /task-definitions/{taskId}/params
"""


class Alias(NamedTuple):
    """One line of the table."""

    number: int
    method: str
    path: str
    here: str  # its path below /api/v1


class NumberedPage(Item):
    """A page of a list by its number. `total`: at most 10,000 are counted; null where the list does not count."""

    items: Sequence[Any]
    page: int
    size: int
    total: int | None


class PageNumber(Query):
    """Which page of a list: from 1, of `size` items."""

    page: Annotated[int, msgspec.Meta(ge=1, le=DEEPEST)] = 1
    size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)] = 20


def aliases() -> list[Alias]:
    """The lines of the table."""
    lines = (line.split() for line in TABLE.strip().splitlines())
    return [Alias(int(number), method, f"/scheduling{path}", here) for number, method, path, here in lines]


def load() -> None:
    """Add the aliases of routes that are there to the table of routes, once; call it when all others are."""
    known = {(each.method, each.path) for each in ENDPOINTS}
    here = {(each.method, _shape(each.path)): each for each in ENDPOINTS}
    for alias in aliases():
        target = here.get((alias.method, _shape(PREFIX + alias.here)))
        if target is not None and (alias.method, alias.path) not in known:
            ENDPOINTS.append(_endpoint(alias, target))


def _shape(path: str) -> str:
    """A path whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def _parameters(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _endpoint(alias: Alias, target: Endpoint) -> Endpoint:
    """A route that is answered by another one's handler."""
    renamed = dict(zip(_parameters(alias.here), _parameters(target.path), strict=True))
    types = {name: target.path_types[renamed[name]] if name in renamed else str for name in _parameters(alias.path)}
    is_list = alias.method == "GET" and alias.path.endswith(_LISTS)

    def handler(call: Call, **given: Any) -> Any:
        """Answers as the route that it stands for."""
        if "runId" in given:
            _need_run(call, given["dagId"], given["runId"])
        wanted = {renamed.get(name, name): value for name, value in given.items() if name != "dagId" or name in renamed}
        if alias.number == 11:
            wanted["body"] = msgspec.structs.replace(wanted["body"], submit=False)
        return _page(call, target, wanted) if is_list else target.handler(call, **wanted)

    handler.__name__ = target.handler.__name__
    handler.__doc__ = target.handler.__doc__
    query = _with_page_number(target, alias) if is_list else target.query
    return replace(
        target,
        path=alias.path,
        handler=handler,
        path_types=types,
        query=query,
        answer=NumberedPage if is_list else target.answer,
        does=f"{target.method} {target.path}",
    )


def _is_paged(target: Endpoint) -> bool:
    return target.query is not None and issubclass(target.query, PageQuery)


def _with_page_number(target: Endpoint, alias: Alias) -> type[msgspec.Struct]:
    """The filters of a list, with a page number in place of its cursor."""
    fields = []
    for each in msgspec.structs.fields(target.query) if target.query is not None else ():
        if each.name not in _PAGING:
            options: dict[str, Any] = {"default": each.default, "default_factory": each.default_factory}
            fields.append((each.name, each.type, msgspec.field(**options, name=each.encode_name)))
    return msgspec.defstruct(f"Scheduling{alias.number}", fields, bases=(PageNumber,), kw_only=True)


def _page(call: Call, target: Endpoint, wanted: Mapping[str, Any]) -> NumberedPage:
    """A page by its number, read through the cursors of the list."""
    query = wanted["query"]
    first, last = (query.page - 1) * query.size, query.page * query.size
    if last > DEEPEST:
        raise ApiFault(
            42206, f"page {query.page} of {query.size} lies behind item {DEEPEST:,}; narrow the search by filters"
        )
    others = {name: value for name, value in wanted.items() if name != "query"}
    if not _is_paged(target):
        found = target.handler(call, **others)
        return NumberedPage(found[first:last], query.page, query.size, len(found))
    given = {name: getattr(query, name) for name in query.__struct_fields__ if name not in ("page", "size")}
    ask = _asking(call, target, others, given)
    items: list[Any] = []
    page = ask(min(last, LARGEST_PAGE), None, is_first=True)
    total = page.total
    while True:
        items += page.items
        if page.next is None or len(items) >= last:
            break
        page = ask(min(last - len(items), LARGEST_PAGE), page.next, is_first=False)
    if page.next is None and total is None:
        total = len(items)
    return NumberedPage(items[first:last], query.page, query.size, total)


def _asking(
    call: Call, target: Endpoint, others: Mapping[str, Any], given: Mapping[str, Any]
) -> Callable[..., ListPage[Any]]:
    """Asks the list for a page behind a cursor."""
    kind: Any = target.query

    def ask(limit: int, cursor: str | None, *, is_first: bool) -> ListPage[Any]:
        query = kind(**given, limit=limit, cursor=cursor, total=is_first)
        found = target.handler(call, **others, query=query)
        page: ListPage[Any] = found.data if isinstance(found, ApiAnswer) else found
        return page

    return ask


def _need_run(call: Call, id: str, number: int) -> None:
    """Is this instance one of the workflow that a path names? Raises: NotFound; ApiFault 40401."""
    workflow = workflow_of(call, id).workflow
    head = call.one("show_instance_head", id=number)
    if head is None or head.workflow != workflow:
        raise ApiFault(40401, f"workflow {workflow!r} has no run {number}")
