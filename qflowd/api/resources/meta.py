"""What the API says of itself: health, version, codes, description."""

import logging
from functools import partial
from typing import Final

from qflowd import __version__
from qflowd.api.access.hidden import AWAY
from qflowd.api.answers import JSON, ApiFault, Item, Text
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.codes import CODES, status_of
from qflowd.api.routing import route
from qflowd.model.errors import GrantsMissing, QflowdError, StoreUnavailable
from qflowd.model.roles import Role
from qflowd.store import migrate
from qflowd.store.tx import Store

log = logging.getLogger("qflowd.api")


class Version(Item):
    """What answers."""

    name: str
    version: str
    api: int


class Code(Item):
    """A code that answers carry, and its HTTP status."""

    code: int
    status: int
    meaning: str


@route("GET", "/healthz", Role.NONE)
def show_health(call: Call) -> Text:
    """The process answers; nothing is asked of the database."""
    return Text("ok\n")


@route("GET", "/readyz", Role.NONE, errors=(50002, 50301, 50303))
def show_readiness(call: Call) -> Text:
    """The database can be reached, and has this qflowd's schema; as it was up to a second ago, since anybody may ask."""
    fault = _SEEN.get(call.store.dialect.describe(), partial(_fault, call.store))
    if isinstance(fault, StoreUnavailable):
        raise ApiFault(50301, AWAY, headers={"Retry-After": "2"})
    if isinstance(fault, GrantsMissing):
        raise ApiFault(50002, f"{CODES[50002]}; the server's log says which", headers={"Retry-After": "2"})
    if fault is not None:
        why = str(fault).replace(call.store.dialect.describe(), "the database")
        raise ApiFault(50303, why, headers={"Retry-After": "2"})
    return Text("ok\n")


@route("GET", "/version", Role.NONE)
def show_version(call: Call) -> Version:
    """The version of qflowd, and of this API."""
    return Version(name="qflowd", version=__version__, api=1)


@route("GET", "/codes", Role.NONE)
def list_codes(call: Call) -> list[Code]:
    """Every code that an answer may carry."""
    return [Code(code=code, status=status_of(code) or 200, meaning=meaning) for code, meaning in CODES.items()]


@route("GET", "/openapi.json", Role.NONE)
def show_openapi(call: Call) -> Text:
    """This description, as OpenAPI 3.1; outside the envelope."""
    from qflowd.api.openapi import description

    return Text(description(), JSON)


def _fault(store: Store) -> QflowdError | None:
    try:
        migrate.check(store)
    except QflowdError as error:
        log.warning("not ready: %s", error)
        return error
    return None


_SEEN: Final[TtlCache[str, QflowdError | None]] = TtlCache(1.0)
