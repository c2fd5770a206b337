"""Bodies of writes: a reason alone; one row, or several under `items`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from qflowd.api.answers import ApiFault, Problem
from qflowd.api.reading import Body, Query
from qflowd.model.errors import InvalidRequest
from qflowd.model.numbers import whole_number

T = TypeVar("T")
MOST_ROWS: Final = 1000
LARGEST_ROWS: Final = 4_000_000  # bytes of a body of so many
SHOWN = 5  # faults in the message; the data have all


class ReasonBody(Body):
    """Why, for the audit."""

    reason: str | None = None


class ReasonQuery(Query):
    """Why, for the audit; of a DELETE, which has no body."""

    reason: str | None = None


def task_number(where: str, given: int | str) -> int:
    """The id of a task in a body; browsers cannot hold it as a number. Raises: ApiFault 42202."""
    number = whole_number(str(given), 19)
    if number is None:
        raise ApiFault(42202, f"{where}: must be the number of a task, not {str(given)[:60]!r}")
    return number


def refuse_both(body: msgspec.Struct) -> None:
    """Raises: ApiFault 42202 if a body has `items`, and fields of a row beside them."""
    values, faults = msgspec.structs.asdict(body), []
    for field in msgspec.structs.fields(type(body)):
        if field.encode_name != "items" and values[field.name] != field.default:
            message = "stands beside items; put it into each of them"
            faults.append(Problem(where=field.encode_name, message=message))
    if faults:
        raise ApiFault(42202, "; ".join(f"{fault.where} {fault.message}" for fault in faults), faults)


def of_all(items: Sequence[T], row_of: Callable[[T], dict[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows that `items` mean.

    Raises: ApiFault 42202 with the faults of all; whatever else `row_of` raises.
    """
    rows: list[Mapping[str, Any]] = []
    faults = []
    for index, item in enumerate(items):
        try:
            rows.append(row_of(item))
        except InvalidRequest as error:
            faults += [Problem(where=f"items[{index}]", message=line) for line in str(error).splitlines()]
    if faults:
        shown = "; ".join(f"{fault.where}: {fault.message}" for fault in faults[:SHOWN])
        raise ApiFault(42202, shown + ("; …" if len(faults) > SHOWN else ""), faults)
    return rows
