"""From when to when instances were made, as ranges of their ids, which rise with time."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from qflowd.api.answers import ApiFault
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.instants import EARLIEST, FOREVER

Read = Callable[..., list[Any]]

# A submission gets its id before it is committed, and its instance when a daemon admits it: so far they may be out of order.
SLACK: Final = timedelta(hours=1)
NEAR: Final = 64  # ids that are not worth another look
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SINCE: Final = re.compile(r"(\d{1,6})([smhdw])")


class Between(NamedTuple):
    """Instants, the second of which is no longer meant, and the ids between them: from `lowest` to before `before`."""

    first_at: datetime
    end_at: datetime
    lowest: int = 0
    before: int = LARGEST_INSTANCE + 1


def instants(now: datetime, since: str | None, first: datetime | None, end: datetime | None) -> Between:
    """What `since`, `created_from` and `created_to` mean; ids are not looked for.

    Raises: ApiFault 40002 for a duration that is none, or both beginnings.
    """
    if since is not None:
        if first is not None:
            raise ApiFault(40002, "since and created_from both say when it begins; give one of them")
        if not (match := _SINCE.fullmatch(since)):
            raise ApiFault(40002, f"since: {since[:60]!r} cannot be read; write a duration such as 15m, 12h or 7d")
        first = now - min(timedelta(seconds=int(match[1]) * _UNITS[match[2]]), timedelta(days=36500))
    return Between(first or EARLIEST, end or FOREVER)


def with_ids(read: Read, between: Between) -> Between:
    """The same, with the ids that instances of that time can have."""
    lowest, before = between.lowest, between.before
    if between.first_at > EARLIEST:
        lowest = _first_since(read, between.first_at - SLACK)
    if between.end_at < FOREVER:
        before = _first_since(read, between.end_at + SLACK) + NEAR
    return between._replace(lowest=max(0, lowest - NEAR), before=before)


def above_newest(read: Read) -> int:
    """The first id that no instance of the tenant has yet."""
    newest = read("find_newest_instance")
    return int(newest[0].id) + 1 if newest else 0


def _first_since(read: Read, at: datetime) -> int:
    """About the first id whose instance was made at or after an instant."""
    low, high = 0, above_newest(read)
    while high - low > NEAR:
        middle = (low + high) // 2
        rows = read("find_instance_from", id=middle)
        if not rows or rows[0].created_at >= at:
            high = middle
        else:
            low = rows[0].id + 1
    return high
