"""What the Python client asks, over HTTP: rows as it reads them from a database, whole and of one tenant."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.access.hidden import HIDDEN, hide_daemon
from qflowd.api.answers import ApiFault, Awaited, AwaitedRow, Item, Wait
from qflowd.api.call import Call
from qflowd.api.finding import lines
from qflowd.api.finding.lines import count_fitting
from qflowd.api.reading import LARGEST_NUMBER, Query
from qflowd.api.routing import route
from qflowd.client.transport import READS, ROWS, rows_at_once
from qflowd.model.ids import LARGEST_INSTANCE, key_range
from qflowd.model.near_names import did_you_mean
from qflowd.model.roles import Role
from qflowd.model.states import InstanceState

# By the ids of its rows.
OF_ONE_INSTANCE: Final = ("show_compensations", "show_first_tasks", "show_large_output", "show_tasks")
# Reads whose answer is measured before, and by what.
MEASURED: Final = MappingProxyType({"list_logs": "measure_logs", "list_task_logs": "measure_task_logs"})
Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_NUMBER)]
Instance = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INSTANCE)]


class ClientRowsQuery(Query):
    """The parameters of reads; `ClientRows` takes those that its read has. `before`, `after`: where a part of a list begins."""

    id: Number | None = None
    instance_id: Instance | None = None
    workflow: str | None = None
    name: str | None = None
    series: str | None = None
    task: str | None = None
    version: Number | None = None
    first: Number | None = None
    last: Number | None = None
    before: Number | None = None
    before_fence: Number | None = None
    after: Number | None = None
    after_fence: Number | None = None
    batch: Annotated[int, msgspec.Meta(ge=1, le=ROWS)] | None = None
    date_from: date | None = None
    date_to: date | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    older_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    is_all: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None


class ClientRows(Item):
    """Rows, each a list of values in the order of `columns`: those of the views of the SQL contract."""

    columns: Sequence[str]
    rows: Sequence[Any]


@route("GET", "/rows/{name}", Role.READ)
def list_client_rows(call: Call, name: str, query: ClientRowsQuery) -> ClientRows:
    """Rows for the Python client, which turns them into its records. Programs in other languages have the other routes.

    Of a submission, a command and a state `?wait=` waits until it is answered, or has ended.
    """
    params = _params(name, query)
    _refuse_many(name, query.batch)

    def read() -> ClientRows:
        rows = _seen(call, name, call.read(name, **_bounded(call, name, params)))
        return ClientRows(rows[0]._fields if rows else (), rows)

    found = read()
    if not call.wait_s or name not in _WAITED or not found.rows or _WAITED[name].is_over(found.rows[0]):
        return found
    waited = _WAITED[name]
    row = AwaitedRow(waited.kind, params["id"], call.tenant)

    def say() -> ClientRows | None:
        again = read()
        return again if not again.rows or waited.is_over(again.rows[0]) else None

    return Wait(say, read, call.wait_s, row)  # type: ignore[return-value]


class _Waited(msgspec.Struct, frozen=True):
    """What may be waited for, and the row of which it is over."""

    kind: Awaited
    is_over: Callable[[Any], bool]


_WAITED: Final[Mapping[str, _Waited]] = MappingProxyType(
    {
        "show_submission": _Waited(Awaited.SUBMISSION, lambda row: row.answered_at is not None),
        "show_command": _Waited(Awaited.COMMAND, lambda row: row.answered_at is not None),
        "show_state": _Waited(Awaited.INSTANCE, lambda row: InstanceState[row.state].is_final),
    }
)


def _params(name: str, query: ClientRowsQuery) -> dict[str, Any]:
    """The parameters of a read, all of them and no other.

    Raises: ApiFault 40401 for a read that does not exist, 40002.
    """
    if name not in READS:
        raise ApiFault(40401, f"there is no read {name[:60]!r}{did_you_mean(name, READS)}")
    asked = msgspec.structs.asdict(query)
    given = {key: str(value) if type(value) is date else value for key, value in asked.items() if value is not None}
    if given.keys() != set(READS[name]):
        raise ApiFault(
            40002, f"{name} takes {', '.join(READS[name]) or 'no parameters'}, not {', '.join(given) or 'none'}"
        )
    if name in OF_ONE_INSTANCE:
        _refuse_other_rows(given)
    return given


def _refuse_other_rows(given: Mapping[str, Any]) -> None:
    """Raises: ApiFault 40002 for a row that the instance cannot have: what lies between may be any tenant's."""
    low, high = key_range(given["instance_id"]).values()
    for key in ("id", "first", "last", "after"):
        if not low - (key == "after") <= given.get(key, low) <= high:
            raise ApiFault(40002, f"{key}: instance {given['instance_id']} has no row {given[key]}")


def _refuse_many(name: str, batch: int | None) -> None:
    """Raises: ApiFault 40002 for more rows at once than the server holds in its memory for one request."""
    if batch is not None and batch > (most := rows_at_once(name)):
        raise ApiFault(40002, f"batch: {name} gives at most {most} rows at once, not {batch}")


def _bounded(call: Call, name: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with fewer rows where as many as are asked for would be too large: the client asks for the rest."""
    if name not in MEASURED:
        return params
    sizes = (int(row.bytes) for row in call.read(MEASURED[name], **params))
    return params | {"batch": max(1, count_fitting(sizes, lines.LARGEST_PART))}


def _seen(call: Call, name: str, rows: list[Any]) -> list[Any]:
    """The rows that the caller may see, as far as they may be seen: hosts, limits of quotas and names of tenants are shared."""
    if call.is_system:
        return rows
    if name.startswith("find_tenants_"):
        return []
    return HIDDEN[name](call, rows) if name in HIDDEN else [hide_daemon(call, row) for row in rows]
