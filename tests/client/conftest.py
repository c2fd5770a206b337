"""A store with a schema and a stand-in for its engine, and clients of it by each way there is."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

import qflowd
from qflowd.client import Client
from tests.conftest import KINDS, GetServer
from tests.support.http import ApiServer
from tests.support.stand_in import StandIn, stand_in_of

WAYS = ("database", "http")
Connect = Callable[..., Client]


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How clients reach the store: what uses one holds over a database and over HTTP."""
    return str(request.param)


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, way: str, get_server: GetServer) -> Iterator[StandIn]:
    """A store on each database, with its stand-in; the tests of a module share it."""
    yield from stand_in_of(request.param, get_server)


@pytest.fixture(scope="module")
def connect(engine: StandIn, way: str) -> Iterator[Connect]:
    """Opens clients of the store."""
    with opener(engine.url, way) as found:
        yield found


@pytest.fixture
def client(connect: Connect) -> Iterator[Client]:
    with connect() as found:
        yield found


@contextlib.contextmanager
def opener(url: str, way: str) -> Iterator[Connect]:
    """What opens clients of the database at `url`, by one of WAYS; the API is there meanwhile."""
    if way == "database":
        yield functools.partial(qflowd.connect, url)
        return
    with ApiServer(url) as api:
        api.post("/tenants", {"name": "fund_b"})
        yield functools.partial(qflowd.connect, f"http://127.0.0.1:{api.port}", token=api.token)
