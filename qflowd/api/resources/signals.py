"""Signals: named facts, which tasks wait for by `wait_for: {signal: NAME}`."""

from datetime import date, datetime
from typing import Any, Final

from qflowd.api.access.authorization import refuse_signal
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.inbox.inboxes import send_signal
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.client import requests
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role

LARGEST: Final = (1 << 20) + (1 << 12)  # bytes of a body: a payload, and what stands around it


class SignalBody(Body):
    """A fact. `payload` is any JSON; with a `business_date` it is for instances of that date alone."""

    name: str
    payload: Any = None
    business_date: str | None = None
    expires_at: str | None = None


class SignalNumber(Item):
    """The signal that was sent."""

    signal_id: int


class SignalItem(Item):
    """A signal. `state`: NEW until a daemon has taken it, ACCEPTED, or REJECTED with `error`."""

    id: int
    name: str
    business_date: date | None
    payload: Any
    sent_by: str | None
    expires_at: datetime | None
    state: str
    error: str | None
    created_at: datetime | None
    answered_at: datetime | None


class SignalQuery(PageQuery):
    """`name`: only those of this name."""

    name: str = ""


@route("POST", "/signals", Role.SUBMIT, errors=(40302,), largest_body=LARGEST, does="signal")
def create_signal(call: Call, body: SignalBody) -> SignalNumber:
    """Tell all that wait for it, now or later, that something is so."""
    refuse_signal(call)
    row = requests.signal(body.name, body.payload, body.business_date, body.expires_at, call.tenant)
    return SignalNumber(signal_id=send_signal(call, row))


@route("GET", "/signals", Role.READ)
def list_signals(call: Call, query: SignalQuery) -> ListPage[SignalItem]:
    """Signals, the newest first."""
    (before,) = read_cursor(query, tuple[Id]) or (ABOVE_ALL_IDS,)
    name = {"name": query.name} if query.name else {}
    statement = "find_signals_named" if name else "find_signals"
    rows = call.read(statement, before=before, batch=query.limit + 1, **name)
    return page_of(query, rows, "id", make=lambda row: SignalItem(**fields_of(row, SignalItem)))
