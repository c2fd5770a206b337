"""A client's way to an HTTP API: rows by `GET /rows/{name}`, inboxes by `POST /submissions`, `/commands` and `/signals`."""

import uuid
from collections import namedtuple
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qflowd.client.http.connection import ApiConnection
from qflowd.client.http.faults import ApiReply
from qflowd.client.records import DATES
from qflowd.model.errors import AccessDenied, InvalidRequest, NotFound, Rejected

if TYPE_CHECKING:
    from qflowd.store.tx import Store

LONGEST_WAIT_S: Final = 60.0  # that a server waits
# Columns that the server sets itself, by who calls; and those that hold JSON already.
OF_THE_SERVER: Final = frozenset({"tenant", "submitted_by", "requested_by", "sent_by"})
IN_JSON: Final = frozenset({"params", "overrides", "filter", "args", "payload"})


class ApiMe(msgspec.Struct):
    """Who calls, as `GET /me` says it."""

    principal: str
    tenant: str
    role: str


class ApiRows(msgspec.Struct):
    """Rows as `GET /rows/{name}` gives them."""

    columns: list[str]
    rows: list[list[Any]]


class ApiNumber(msgspec.Struct):
    """The id of a row that was written."""

    submission_id: int | None = None
    command_id: int | None = None
    signal_id: int | None = None


class HttpTransport:
    """The transport over HTTP, as the principal of a token. What is read and written passes the API's roles and lists."""

    def __init__(self, url: str, token: str, tenant: str | None = None) -> None:
        """Asks the server who calls. `tenant`: another than the token's own; for a token of the role system.

        Raises: InvalidRequest, AccessDenied; NotFound for a tenant without a row; StoreUnavailable at once if there is no
            answer.
        """
        self._api = ApiConnection(url, token)
        me = msgspec.json.decode(_me(self._api).data, type=ApiMe)
        self.tenant = me.tenant if tenant is None else tenant
        self._query = {"tenant": self.tenant} if self.tenant != me.tenant else {}
        if self._query and me.role != "system":
            self.close()
            raise AccessDenied(f"{me.principal} is of tenant {me.tenant}; only role system may look at {tenant}")
        if self._query:
            self._refuse_unknown()

    def _refuse_unknown(self) -> None:
        """Raises: NotFound for a tenant that the server does not know."""
        try:
            self._api.get("me", self._query)
        except NotFound:
            self.close()
            raise

    def __repr__(self) -> str:
        return repr(self._api)

    @property
    def store(self) -> "Store":
        """Raises: InvalidRequest, always."""
        raise InvalidRequest(
            f"{self._api.url} is an HTTP API: for a transaction of your own connect to the database, by a URL such as "
            "postgresql://… or sqlite:///…"
        )

    def read(self, name: str, params: Mapping[str, Any], wait_s: float = 0.0) -> list[Any]:
        asked = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in params.items()}
        try:
            reply = self._api.get(f"rows/{name}", {**asked, **self._query}, min(wait_s, LONGEST_WAIT_S))
        except NotFound as error:  # not of a row: a list that is empty is no error
            raise InvalidRequest(f"{self._api.url} does not know {name}; is its qflowd older? {error}") from None
        found = msgspec.json.decode(reply.data, type=ApiRows)
        make = _maker(tuple(found.columns))
        return [make(row) for row in found.rows]

    def submit(self, row: Mapping[str, Any]) -> int:
        # With a key the engine makes one instance, however often the row is there.
        key = row["idempotency_key"] or f"sdk-{uuid.uuid4()}"
        # What is not asked for is not sent: a server of an earlier release does not know it.
        flags = {"hold": bool(row["hold"]), "allow_duplicates": True if row["allow_duplicates"] else None}
        body = _body({**row, "idempotency_key": key, **flags})
        return int(self._write("submissions", body, None).submission_id or 0)

    def command(self, row: Mapping[str, Any]) -> int:
        try:
            return int(self._write("commands", _body(row), str(uuid.uuid4())).command_id or 0)
        except NotFound as error:  # the API looks before it writes; a daemon would have said the same
            raise Rejected(str(error)) from None

    def signal(self, row: Mapping[str, Any]) -> int:
        return int(self._write("signals", _body(row), str(uuid.uuid4())).signal_id or 0)

    def now(self) -> datetime:
        found: datetime = self.read("show_clock", {})[0].server_at
        return found

    def ask(self, path: str) -> bytes:
        """The data of an answer to a GET below /api/v1, in JSON. Raises: StoreUnavailable at once if there is no answer."""
        return self._api.get(path, self._query, is_first=True).data

    def close(self) -> None:
        self._api.close()

    def _write(self, path: str, body: bytes, key: str | None) -> ApiNumber:
        """One row; that it is there is all that is waited for."""
        reply = self._api.post(path, {"wait": 0, **self._query}, body, key)
        return msgspec.json.decode(reply.data, type=ApiNumber)


def _me(api: ApiConnection) -> ApiReply:
    try:
        return api.get("me", {}, is_first=True)
    except NotFound as error:
        raise InvalidRequest(f"there is no qflowd API at {api.url}: {error}") from None


def _body(row: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(
        {
            name: msgspec.Raw(value.encode()) if name in IN_JSON else value
            for name, value in row.items()
            if value is not None and name not in OF_THE_SERVER
        }
    )


@cache
def _maker(columns: tuple[str, ...]) -> Any:
    """What makes a named tuple of a row's values in JSON: instants and dates are strings there."""
    kind = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024 - columns are known at run time
    at = [i for i, name in enumerate(columns) if name == "at" or name.endswith("_at")]
    on = [i for i, name in enumerate(columns) if name in DATES]

    def make(values: list[Any]) -> Any:
        for i in at:
            if values[i] is not None:
                values[i] = datetime.fromisoformat(values[i])
        for i in on:
            if values[i] is not None:
                values[i] = date.fromisoformat(values[i])
        return kind._make(values)

    return make
