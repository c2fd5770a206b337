"""The lists of failures: those that nobody has handled, and those that a person has."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qflowd.client import requests
from qflowd.client.records import FailureInfo, HandledFailureInfo, records_of
from qflowd.model.ids import ABOVE_ALL_IDS

if TYPE_CHECKING:
    from qflowd.client.views import Views

PAGE = 500  # failures read at once


def find_failures(
    client: "Views", conditions: Mapping[str, Any], *, handled: bool, limit: int | None
) -> Iterator[FailureInfo]:
    """As `Views.failures`."""
    has = requests.failures_like(conditions, client.transport.now())
    statement, record = ("find_handled_failures", HandledFailureInfo) if handled else ("find_failures", FailureInfo)
    left = None if limit is None else requests.whole(limit, "limit")
    before, before_fence = ABOVE_ALL_IDS, 0
    while left is None or left > 0:
        rows = client.read_all(statement, before=before, before_fence=before_fence, batch=PAGE)
        if not rows:
            return
        chosen = list(records_of(record, filter(has, rows)))[:left]
        yield from chosen
        left = None if left is None else left - len(chosen)
        before, before_fence = rows[-1].id, rows[-1].fence
