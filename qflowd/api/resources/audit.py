"""The audit of a tenant: who did what, when, to which object."""

import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from qflowd.api.answers import ApiFault, Item, Text
from qflowd.api.call import Call
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.engine.access.audit import WantedEntries, list_audit
from qflowd.model.instants import EARLIEST, FOREVER, format_instant
from qflowd.model.roles import Role

CHUNK: Final = 500
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would work out


class AuditItem(Item):
    """One thing that was done. `before`, `after`: the fields that differ."""

    id: int
    at: datetime
    principal: str | None
    token: str | None
    session_id: int | None
    address: str | None
    request_id: str | None
    action: str
    object_type: str
    object: str
    before: Any
    after: Any
    command_id: int | None
    submission_id: int | None
    outcome: str


class AuditFilter(Query):
    """All that are given must hold. `object` needs `object_type`."""

    object_type: str = ""
    object: str = ""
    action: str = ""
    actor: str = ""
    from_: datetime | None = None
    to: datetime | None = None


class AuditQuery(PageQuery):
    """As `AuditFilter`, in pages, in one of two orders."""

    object_type: str = ""
    object: str = ""
    action: str = ""
    actor: str = ""
    from_: datetime | None = None
    to: datetime | None = None
    sort: Literal["newest", "oldest"] = "newest"


@route("GET", "/audit", Role.ADMIN)
def show_audit(call: Call, query: AuditQuery) -> ListPage[AuditItem]:
    """What was done, the newest first, or the oldest (`sort`)."""
    wanted, after = _wanted(query), read_cursor(query, tuple[datetime, Id])
    rows = call.store.read(
        lambda tx: list_audit(tx, call.tenant, wanted, after, query.limit + 1, oldest_first=query.sort == "oldest")
    )
    return page_of(query, rows, "at", "id", make=_item)


@route("GET", "/audit.csv", Role.ADMIN)
def download_audit(call: Call, query: AuditFilter) -> Text:
    """What was done, the newest first, as a file for spreadsheets."""
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Text(_lines(call, _wanted(query)), "text/csv; charset=utf-8", headers=headers)


def _wanted(query: AuditQuery | AuditFilter) -> WantedEntries:
    if query.object and not query.object_type:
        raise ApiFault(40002, "object: say of which object_type, such as principal")
    return WantedEntries(
        since=query.from_ or EARLIEST,
        until=query.to or FOREVER,
        action=query.action.upper(),
        principal=query.actor,
        object_type=query.object_type,
        object=query.object,
    )


def _lines(call: Call, wanted: WantedEntries) -> Iterator[str]:
    names = [field.name for field in msgspec.structs.fields(AuditItem)]
    yield _line(names)
    after: tuple[datetime, int] | None = None
    while rows := call.store.read(lambda tx: list_audit(tx, call.tenant, wanted, after, CHUNK)):  # noqa: B023 - at once
        yield "".join(_line([_cell(getattr(_item(row), name)) for name in names]) for row in rows)
        after = rows[-1].at, rows[-1].id


def _line(cells: list[str]) -> str:
    from csv import writer

    text = io.StringIO()
    writer(text).writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_instant(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _item(row: Any) -> AuditItem:
    fields = fields_of(row, AuditItem)
    fields["before"] = json.loads(row.changed_from) if row.changed_from else None
    fields["after"] = json.loads(row.changed_to) if row.changed_to else None
    return AuditItem(**fields)
