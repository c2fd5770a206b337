"""Limits, read: how many of their slots are in use, who waits, and which breakers are open."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qflowd.api.access.hidden import hide_limits
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.client.records import from_json
from qflowd.engine.limits.limit_settings import Size, etag_of
from qflowd.model.roles import Role


class LimitItem(Item):
    """A limit, shared by all tenants. `waiting`: ready tasks that need it; `frees_at`: when its rate has room again.

    `rates`: such as `100/min`; `breaker`: what opens it, and for how long. `etag`: of what can be set, for If-Match.
    """

    name: str
    slots: int
    used: int
    waiting: int
    source: str
    rates: Sequence[str]
    frees_at: datetime | None
    resumes_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    breaker: Any
    breaker_state: str | None
    tripped_at: datetime | None
    retries_at: datetime | None
    trip_reason: str | None
    set_by: str | None
    note: str | None
    updated_at: datetime
    etag: str


@route("GET", "/limits", Role.READ)
def list_limits(call: Call) -> list[LimitItem]:
    """All limits by their names; of those that a quota makes, the tenant's own."""
    return list(map(_limit, hide_limits(call, call.read("show_limits"))))


def _limit(row: Any) -> LimitItem:
    about = {"rates": from_json(row.rates) or [], "breaker": from_json(row.breaker)}
    about["etag"] = etag_of(Size(row.slots, row.rates, row.source, row.breaker))
    return LimitItem(**fields_of(row, LimitItem) | about)
