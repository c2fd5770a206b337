"""Fixtures shared by all tests: an empty store on each database, on servers that are started when first needed.

def test_x(database_url): ...    # three tests: [sqlite], [postgres], [mariadb]; `pytest.mark.bare`: without a schema
def test_y(postgres_url): ...    # one; also sqlite_url, mariadb_url
def test_z(postgres_server): ... # the server, to kill and restart; also mariadb_server, database_server
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from qflowd.store.dialects import sqlite_connection
from tests.support.order import spread
from tests.support.servers import MAKERS, Server, Unavailable

KINDS = tuple(MAKERS)
GetServer = Callable[[str], Server]
settings.register_profile("busy", settings.default, deadline=None)  # an example's time tells of the machine
settings.load_profile("busy")

# The checks of tests ask ten times as much as what they check: each statement would push another one out.
sqlite_connection.STATEMENTS = 512

# Tests start daemons by the hundred: what these import is compiled once, whatever the environment says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db", default=",".join(KINDS), help=f"only these databases, e.g. --db sqlite,postgres (all: {KINDS})"
    )
    parser.addoption("--durable", action="store_true", help="servers with their default durability; slower")


def pytest_configure(config: pytest.Config) -> None:
    unknown = set(config.getoption("--db").split(",")) - set(KINDS)
    if unknown:
        raise pytest.UsageError(f"--db: no such database: {', '.join(sorted(unknown))}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: to look through it for garbage is much of the time that this takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # of a parallel run
        items[:] = spread(items)


@pytest.fixture(scope="session")
def get_server(request: pytest.FixtureRequest) -> Iterator[GetServer]:
    """Give the session's server of a kind, started at the first call. Without it: skipped, in CI failed."""
    servers: dict[str, Server | Unavailable] = {}
    with contextlib.ExitStack() as stack:

        def get(kind: str) -> Server:
            if kind not in request.config.getoption("--db").split(","):
                pytest.skip(f"{kind} is left out by --db")
            if kind not in servers:
                try:
                    server = MAKERS[kind](durable=request.config.getoption("--durable"))
                    servers[kind] = stack.enter_context(server)
                except Unavailable as error:
                    servers[kind] = error
            found = servers[kind]
            if isinstance(found, Unavailable):
                no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
                no(f"no {kind}: {found}")
            found.start()  # a fault test may have left it dead
            return found

        yield get


def fresh_url(server: Server, request: pytest.FixtureRequest) -> str:
    """An empty store, for a test that is marked `bare` an empty database."""
    is_bare = request.node.get_closest_marker("bare") is not None
    return server.create_database() if is_bare else server.create_store()


@contextlib.contextmanager
def _fresh(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    url = fresh_url(server, request)
    yield url
    server.start().give_back(url)


@pytest.fixture(params=KINDS)
def database_server(request: pytest.FixtureRequest, get_server: GetServer) -> Server:
    """The server of each kind in turn; for SQLite a folder with the same methods."""
    return get_server(request.param)


@pytest.fixture
def database_url(database_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty store, on each kind of database in turn."""
    with _fresh(database_server, request) as url:
        yield url


@pytest.fixture
def postgres_server(get_server: GetServer) -> Server:
    return get_server("postgres")


@pytest.fixture
def mariadb_server(get_server: GetServer) -> Server:
    return get_server("mariadb")


@pytest.fixture
def sqlite_url(get_server: GetServer, request: pytest.FixtureRequest) -> Iterator[str]:
    with _fresh(get_server("sqlite"), request) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    with _fresh(postgres_server, request) as url:
        yield url


@pytest.fixture
def mariadb_url(mariadb_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    with _fresh(mariadb_server, request) as url:
        yield url
