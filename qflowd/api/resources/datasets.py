"""Datasets: what tasks have produced, by `produces`."""

from datetime import date, datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.names import series_and_name
from qflowd.model.roles import Role

MOST_STALE: Final = 500


class DatasetItem(Item):
    """A version, from 1, of a dataset. `series`: its name before the `@`; `metadata`: what the task that produced it returned.

    `stale_uses`: how many tasks were given a version of this dataset that is not its latest; 501 for all above 500.
    """

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
    stale_uses: int


class DatasetQuery(PageQuery):
    """`name`: one dataset, or a series; `exact`: the dataset of that name alone. `versions`: all of each, and not the latest alone."""

    name: str = ""
    exact: bool = False
    versions: bool = False


@route("GET", "/datasets", Role.READ)
def list_datasets(call: Call, query: DatasetQuery) -> ListPage[DatasetItem]:
    """What tasks have produced, the newest first."""
    rows = _read(call, "find_datasets", query, is_all=query.versions)
    names = sorted({row.name for row in rows})
    counts = call.read("count_stale_uses", rows=[(name,) for name in names], most=MOST_STALE)
    stale = {each.name: each.uses for each in counts}
    return page_of(query, rows, "id", make=lambda row: _item(row, stale.get(row.name, 0)))


def _item(row: Any, stale_uses: int) -> DatasetItem:
    own = {"task_id": str(row.task_id), "is_latest": bool(row.is_latest), "stale_uses": stale_uses}
    return DatasetItem(**fields_of(row, DatasetItem) | own)


class DatasetUseItem(Item):
    """A task that waited for a dataset and was given `version`. `is_stale`: `latest_version` has come since."""

    task_id: str
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    name: str
    version: int
    latest_version: int
    is_stale: bool
    used_at: datetime


class DatasetUseQuery(PageQuery):
    """`name`: of this dataset, or of all of this series; `exact`: of the dataset of that name alone.

    `stale`: only those of which a later version has come since.
    """

    name: str = ""
    exact: bool = False
    stale: bool = False


@route("GET", "/datasets/uses", Role.READ)
def list_dataset_uses(call: Call, query: DatasetUseQuery) -> ListPage[DatasetUseItem]:
    """Tasks that waited for a dataset, with the version that each was given, those of the newest instances first."""
    rows = _read(call, "find_dataset_uses", query, is_all=not query.stale)
    return page_of(query, rows, "id", make=_use)


def _use(row: Any) -> DatasetUseItem:
    own = {"task_id": str(row.id), "is_stale": bool(row.is_stale)}
    return DatasetUseItem(**fields_of(row, DatasetUseItem) | own)


def _read(call: Call, statement: str, query: DatasetQuery | DatasetUseQuery, *, is_all: bool) -> list[Any]:
    """Rows about all datasets; where a name is given, about that one, or the series that is called so unless `exact`."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    of_name = series_and_name(query.name) if query.name or query.exact else {}
    if query.exact:
        of_name["name"] = query.name
    statement = f"{statement}_of" if of_name else statement
    return call.read(statement, is_all=int(is_all), before=before, batch=query.limit + 1, **of_name)
