"""What tasks have written, of one or of all of an instance: as pages, or as text."""

from typing import Annotated

import msgspec

from qflowd.api.answers import ApiFault, Text
from qflowd.api.call import Call
from qflowd.api.finding import lines
from qflowd.api.finding.lines import Level, LinesWanted, LogPage
from qflowd.api.finding.rows import rows_of
from qflowd.api.named import task_row
from qflowd.api.paging import LARGEST_PAGE
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model.roles import Role

Size = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)]


class LogQuery(Query):
    """Which lines. `after`, `before`: ids, as answers have them; `tail`: so many of the last ones; `level`: the lowest one.

    `q`: part of the message. With neither `after`, `before` nor `tail` a page begins with the first line.
    """

    after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    before: Annotated[int, msgspec.Meta(ge=0)] | None = None
    tail: Size | None = None
    limit: Size = LARGEST_PAGE
    level: Level | None = None
    q: str | None = None


class TaskLogQuery(LogQuery):
    """The same of one task; `fence`: of this attempt alone; `attempt`: of those with this number, several after a `retry`."""

    attempt: Annotated[int, msgspec.Meta(ge=1, le=32767)] | None = None
    fence: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


@route("GET", "/instances/{id}/log", Role.READ, does="view logs")
def show_log_of_instance(call: Call, id: int, query: LogQuery) -> LogPage | Text:
    """What all tasks of an instance have written. With `Accept: text/plain` all of it, as text."""
    rows_of(call, id)
    return _answer(call, LinesWanted(id, level=query.level, search=query.q), query)


@route("GET", "/tasks/{id}/log", Role.READ, does="view logs")
def show_log_of_task(call: Call, id: int, query: TaskLogQuery) -> LogPage | Text:
    """What a task has written. With `Accept: text/plain` all of it, as text."""
    task_row(call, "show_task_place", id)
    wanted = lines.of_task(id, attempt=query.attempt or 0, fence=query.fence or 0, level=query.level, search=query.q)
    return _answer(call, wanted, query)


def _answer(call: Call, wanted: LinesWanted, query: LogQuery) -> LogPage | Text:
    if sum(each is not None for each in (query.after, query.before, query.tail)) > 1:
        raise ApiFault(40002, "after, before and tail each say where a page lies; give one of them")
    if "text/plain" in call.request.headers.get("accept", ""):
        if query.before is not None or query.tail is not None:
            raise ApiFault(40002, "as text all lines after `after` are sent; leave before and tail out")
        headers = {"Content-Disposition": f'inline; filename="{wanted.task_id or wanted.instance_id}.log"'}
        return Text(lines.as_text(call, wanted, query.after or 0), headers=headers)
    if query.after is not None:
        return lines.later(call, wanted, query.after, query.limit)
    if query.before is not None:
        return lines.earlier(call, wanted, query.before, query.limit)
    first, last = lines.ends(call, wanted)
    page = (
        lines.later(call, wanted, 0, query.limit)
        if query.tail is None
        else lines.earlier(call, wanted, last + 1, query.tail)
    )
    page.first_at, page.lines = lines.extent(call, wanted, first)
    return page
