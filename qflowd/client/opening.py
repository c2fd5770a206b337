"""Opening what is there already, a database or an HTTP API: never creates a file, never migrates."""

import contextlib
import os

from qflowd.client.client import Client
from qflowd.client.transport import Transport
from qflowd.model.errors import (
    GrantsMissing,
    InvalidRequest,
    QflowdError,
    SchemaMissing,
    SchemaOutdated,
    StoreUnavailable,
)
from qflowd.model.names import DEFAULT_TENANT

OVER_HTTP = ("http://", "https://")


def connect(url: str | None = None, tenant: str | None = None, *, token: str | None = None) -> Client:
    """A client of the database at `url`: `sqlite:///FILE`, `postgresql://…` or `mysql://…`; or of an HTTP API: `https://HOST`.

    Without a URL: `QFLOWD_URL` (an API), `QFLOWD_DATABASE_URL`, else the configuration file (`QFLOWD_CONFIG`, or qflowd.toml
    here). What it shows and commands is the tenant's alone. Never migrates; `qflowd migrate` and `qflowd run` do. A program
    that uses this on SQLite must not open the same file with Python's own `sqlite3`, which would drop the locks.

    Args:
        tenant: of a database `default`, if none is named; of an API that of the token.
        token: of an API, default `QFLOWD_TOKEN`; `qflowd token create` makes one. Plain http:// is for loopback.

    Raises: StoreUnavailable if the database or API cannot be reached; SchemaOutdated or SchemaTooNew if the database's
        schema is not this qflowd's; AccessDenied for a token that opens nothing; InvalidRequest for a URL of another kind
        or a name that no tenant can have; InvalidConfig.
    """
    if url is None:
        url = os.environ.get("QFLOWD_URL") or _configured_url()
    if url.startswith(OVER_HTTP):
        return _open_api(url, tenant, token or os.environ.get("QFLOWD_TOKEN", ""))
    if token is not None:
        raise InvalidRequest("a token is for an HTTP API, https://…; a database has its login in its URL")
    return _open_database(url, DEFAULT_TENANT if tenant is None else tenant)


def _configured_url() -> str:
    from qflowd.config import load

    return load(None, os.environ).database.url


def _open_api(url: str, tenant: str | None, token: str) -> Client:
    if not token:
        raise InvalidRequest(
            f"{url} needs a token: token=…, or QFLOWD_TOKEN in the environment; `qflowd token create` makes one"
        )
    from qflowd.client.http.transport import HttpTransport

    return _client_over(HttpTransport(url, token, tenant))


def _open_database(url: str, tenant: str) -> Client:
    from qflowd.client.database import DatabaseTransport
    from qflowd.store.tx import Store

    store = Store(url, follows_clock=True)
    file = store.dialect.file
    if file is not None and not file.exists():
        raise SchemaMissing(f"there is no database file {file}; `qflowd init` or `qflowd migrate` makes it")
    transport = DatabaseTransport(store, tenant)
    try:
        _check(transport)
    except BaseException:
        store.close()
        raise
    return _client_over(transport)


def _client_over(transport: Transport) -> Client:
    try:
        return Client(transport)
    except BaseException:
        transport.close()
        raise


def _check(transport: Transport) -> None:
    """The schema, as far as this login may see it: inboxes and views are enough for a client."""
    from qflowd.store import migrate

    store = transport.store
    try:
        migrate.check(store)
    except StoreUnavailable:
        raise
    except Exception as error:
        # A client may lack the right to read the ledger of migrations; MySQL even hides the tables then.
        is_hidden = isinstance(error, SchemaOutdated) and not store.ask(store.dialect.has_schema)
        if is_hidden or isinstance(error, GrantsMissing) or not isinstance(error, QflowdError):
            with contextlib.suppress(Exception):  # missing, forbidden, broken
                transport.read("show_submission", {"id": 0})
                return
        raise
