"""Events: what has happened, as daemons have noticed it."""

from datetime import date, datetime
from typing import Any

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.client.records import from_json
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role


class EventItem(Item):
    """Something that has happened, such as `workflow.late` or `calendar.horizon`. What it does not speak of is null."""

    id: int
    event: str
    workflow: str | None
    instance_id: int | None
    business_date: date | None
    calendar: str | None
    at: datetime
    data: dict[str, Any]


class EventsQuery(PageQuery):
    """`workflow`: only those of this one."""

    workflow: str = ""


@route("GET", "/events", Role.READ)
def list_events(call: Call, query: EventsQuery) -> ListPage[EventItem]:
    """What has happened, newest first."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    rows = call.read("find_events", workflow=query.workflow, before=before, batch=query.limit + 1)
    return page_of(query, rows, "id", make=_item)


def _item(row: Any) -> EventItem:
    return EventItem(**fields_of(row, EventItem) | {"data": from_json(row.data)})
