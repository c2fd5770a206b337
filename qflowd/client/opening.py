"""Opening an existing store: never creates a file, never migrates."""

import contextlib
import os

from qflowd.client.client import Client
from qflowd.config import load
from qflowd.model.errors import QflowdError, SchemaOutdated, StoreUnavailable
from qflowd.model.names import DEFAULT_TENANT
from qflowd.store import migrate
from qflowd.store.tx import Store


def connect(url: str | None = None, tenant: str = DEFAULT_TENANT) -> Client:
    """A client of the database at `url`: `sqlite:///FILE`, `postgresql://…` or `mysql://…`.

    Without a URL: `QFLOWD_DATABASE_URL`, else the configuration file (`QFLOWD_CONFIG`, or qflowd.toml here).
    What it shows and commands is `tenant`'s alone. Never migrates; `qflowd migrate` and `qflowd run` do. A program that
    uses this on SQLite must not open the same file with Python's own `sqlite3`, which would drop the locks.

    Raises: StoreUnavailable if the database cannot be reached, SchemaOutdated or SchemaTooNew if its schema is not
        this qflowd's, InvalidRequest for a URL of another kind or a name that no tenant can have, InvalidConfig.
    """
    store = Store(load(None, os.environ).database.url if url is None else url)
    file = store.dialect.file
    if file is not None and not file.exists():
        raise SchemaOutdated(f"there is no database file {file}; `qflowd init` or `qflowd migrate` makes it")
    try:
        _check(store)
        return Client(store, tenant)
    except BaseException:
        store.close()
        raise


def _check(store: Store) -> None:
    """The schema, as far as this login may see it: inboxes and views are enough for a client."""
    try:
        migrate.check(store)
    except StoreUnavailable:
        raise
    except Exception as error:
        # A client may lack the right to read the ledger of migrations; MySQL even hides the tables then.
        is_hidden = isinstance(error, SchemaOutdated) and not store.ask(store.dialect.has_schema)
        if is_hidden or not isinstance(error, QflowdError):
            with contextlib.suppress(Exception):  # missing, forbidden, broken: each driver has its own error
                store.read(lambda tx: tx.one("show_submission", id=0, tenant=DEFAULT_TENANT))
                return
        raise
