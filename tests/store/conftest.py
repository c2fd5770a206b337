"""Stores with a schema, one per test or one per file, and a way to add statements of a test's own to the catalog."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import copy

import pytest

from qflowd.store.catalog import Statement
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.conftest import KINDS, GetServer

Opener = Callable[[str], Store]


def add_statement(store: Store, name: str, text: str) -> None:
    """Let `tx.run(name)` know a text of the test's own; macros are rendered as in sql/."""
    sql, rows = store.dialect.renderer.statement(text)
    store._catalog = copy(store.catalog)  # that of all stores of the kind stays as it is
    store._catalog[name] = Statement(name, sql, rows)


@contextlib.contextmanager
def opened(get_server: GetServer, kind: str) -> Iterator[Store]:
    """A migrated store in a place of its own, closed and removed at the end."""
    server = get_server(kind)
    store = Store(server.create_store())
    migrate(store)
    yield store
    with contextlib.suppress(Exception):  # its server or connection may have been killed
        store.close()
    url = getattr(store.dialect, "url", None) or store.dialect.describe()
    server.start().give_back(url)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Store]:
    """A fresh store with a schema, on each database in turn."""
    with opened(get_server, request.param) as found:
        yield found


@pytest.fixture(params=KINDS, scope="module")
def shared(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Store]:
    """A store for all tests of a file, which keep out of each other's rows. One file takes it, or `store`, never both."""
    with opened(get_server, request.param) as found:
        yield found


@pytest.fixture
def postgres_store(get_server: GetServer) -> Iterator[Store]:
    with opened(get_server, "postgres") as found:
        yield found


@pytest.fixture
def mariadb_store(get_server: GetServer) -> Iterator[Store]:
    with opened(get_server, "mariadb") as found:
        yield found


@pytest.fixture
def sqlite_store(get_server: GetServer) -> Iterator[Store]:
    with opened(get_server, "sqlite") as found:
        yield found
