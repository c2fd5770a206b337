"""Opening a store that somebody else has made: never creates a file, never migrates."""

import os
from pathlib import Path

from qflowd.client.client import Client
from qflowd.config import load
from qflowd.model.errors import SchemaOutdated, StoreUnavailable
from qflowd.store import migrate
from qflowd.store.dialects.base import Disconnected
from qflowd.store.tx import Store


def connect(url: str | None = None) -> Client:
    """A client of the database at `url`: `sqlite:///FILE`, `postgresql://…` or `mysql://…`.

    Without a URL: `QFLOWD_DATABASE_URL`, else the configuration file (`QFLOWD_CONFIG`, or qflowd.toml here).
    Never migrates; `qflowd migrate` and `qflowd run` do. A program that uses this on SQLite must not open the same
    file with Python's own `sqlite3`, which would drop the locks.

    Raises: StoreUnavailable if the database cannot be reached, SchemaOutdated or SchemaTooNew if its schema is not
        this qflowd's, InvalidRequest for a URL of another kind, InvalidConfig.
    """
    if url is None:
        url = load(None, os.environ).database.url
    return Client(open_store(url))


def open_store(url: str) -> Store:
    """The store at `url`, reachable and with the right schema.

    Raises: as `connect`.
    """
    store = Store(url)
    file: Path | None = getattr(store.dialect, "file", None)
    if file is not None and not file.exists():
        raise SchemaOutdated(f"there is no database file {file}; `qflowd init` or `qflowd migrate` makes it")
    try:
        migrate.check(store)
    except Disconnected as error:
        raise StoreUnavailable(f"lost {store.dialect.describe()}: {error}") from error
    except BaseException:
        store.close()
        raise
    return store
