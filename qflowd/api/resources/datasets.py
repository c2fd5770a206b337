"""Datasets: what tasks have produced, by `produces`."""

from datetime import date, datetime
from typing import Any

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role


class DatasetItem(Item):
    """A version, from 1, of a dataset. `series`: its name before the `@`; `metadata`: what the task that produced it returned."""

    id: int
    name: str
    series: str
    version: int
    is_latest: bool
    recorded_at: datetime
    instance_id: int
    task_id: str
    workflow: str
    task: str
    business_date: date | None
    metadata: Any


class DatasetQuery(PageQuery):
    """`name`: one dataset, or a series; `versions`: all of each, and not the latest alone."""

    name: str = ""
    versions: bool = False


@route("GET", "/datasets", Role.READ)
def list_datasets(call: Call, query: DatasetQuery) -> ListPage[DatasetItem]:
    """What tasks have produced, the newest first."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    series, at, _ = query.name.partition("@")
    of_name = {"series": series, "name": query.name if at else ""} if query.name else {}
    statement = "find_datasets_of" if of_name else "find_datasets"
    rows = call.read(statement, is_all=int(query.versions), before=before, batch=query.limit + 1, **of_name)
    return page_of(query, rows, "id", make=_item)


def _item(row: Any) -> DatasetItem:
    return DatasetItem(**fields_of(row, DatasetItem) | {"task_id": str(row.task_id), "is_latest": bool(row.is_latest)})


class StaleUseItem(Item):
    """A task that waited for a dataset and was given `version`, of which `latest_version` has come since."""

    task_id: str
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    name: str
    version: int
    latest_version: int
    used_at: datetime


class StaleUseQuery(PageQuery):
    """`name`: of this dataset, or of all of this series."""

    name: str = ""


@route("GET", "/datasets/stale", Role.READ)
def list_stale_uses(call: Call, query: StaleUseQuery) -> ListPage[StaleUseItem]:
    """What depends on a version that is not the latest, that of the newest instances first."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    rows = call.read("find_stale_uses", name=query.name, before=before, batch=query.limit + 1)
    return page_of(
        query, rows, "id", make=lambda row: StaleUseItem(**fields_of(row, StaleUseItem), task_id=str(row.id))
    )
