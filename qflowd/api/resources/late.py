"""Late dates: those that had no good run by when their workflows expect one."""

from datetime import date, datetime

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role


class LateItem(Item):
    """A business date that had no good run by `expected_at`. `ended_at`: since when it is not late any more.

    `state`, `instance_id`: of the run for it that counts, the latest that succeeded, or the latest; null where none has started.
    """

    id: int
    workflow: str
    business_date: date
    expected_at: datetime
    noticed_at: datetime
    ended_at: datetime | None
    state: str | None
    instance_id: int | None


class LateQuery(PageQuery):
    """`all`: those as well that are not late any more."""

    all: bool = False


@route("GET", "/late", Role.READ)
def list_late(call: Call, query: LateQuery) -> ListPage[LateItem]:
    """What is late now, the latest first; an instance that never started is late as well."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    rows = call.read("find_late", before=before, is_all=int(query.all), batch=query.limit + 1)
    return page_of(query, rows, "id", make=lambda row: LateItem(**fields_of(row, LateItem)))
