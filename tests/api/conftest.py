"""A server over a store of each database: `api` is shared by the tests of a module, `own_api` is a test's alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import KINDS, GetServer
from tests.support.house import House, open_house
from tests.support.http import ApiServer, server_of


@pytest.fixture(scope="module", params=KINDS)
def api(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[ApiServer]:
    """A server with a system principal, shared by the tests of a module."""
    yield from server_of(request.param, get_server)


@pytest.fixture
def own_api(database_url: str) -> Iterator[ApiServer]:
    """A server over an empty store."""
    with ApiServer(database_url) as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def house(
    request: pytest.FixtureRequest, get_server: GetServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A server and a daemon on each database in turn, shared by the tests of a module."""
    server = get_server(request.param)
    url = server.create_store()
    with open_house(url, tmp_path_factory.mktemp("house")) as found:
        yield found
    server.start().give_back(url)
