"""The database of an API server goes away and comes back: callers hear so and how long to wait, and no process is restarted."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.api.test_stream import Stream, streaming, submitted
from tests.conftest import GetServer
from tests.faults.conftest import side_by_side
from tests.support.daemon import until
from tests.support.http import ApiProcess, ApiServer, HttpClient, Reply
from tests.support.outages import hanging, stopped
from tests.support.servers import Server
from tests.support.stand_in import StandIn

pytestmark = pytest.mark.fault


@pytest.fixture
def servers(get_server: GetServer) -> list[Server]:
    """One of each kind that runs here; both are tried at once, for most of the time is waiting."""
    found = []
    for kind in ("postgres", "mariadb"):
        with contextlib.suppress(pytest.skip.Exception):
            found.append(get_server(kind))
    return found


def test_a_server_outlives_its_database(servers: list[Server]) -> None:
    side_by_side(_outlive, servers)


def _outlive(server: Server) -> None:
    with ApiServer(server.create_store(), {"query_timeout": "1s"}) as api, streaming(api, "instances") as stream:
        stream.next("snapshot")
        for outage in (stopped, hanging):
            with outage(server):
                _say_so(api)
            until(lambda: api.get("/readyz").status == 200, 30, what="the server to have its database again")
            assert api.get("/instances").status == 200
            assert _new_instance(api) in _told(stream)


def test_a_server_ends_when_told_though_its_database_stands_still(servers: list[Server], tmp_path: Path) -> None:
    side_by_side(partial(_end, tmp_path), servers)


def _end(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / server.kind
    folder.mkdir()
    with (
        ApiServer(server.create_store()) as api,
        concurrent.futures.ThreadPoolExecutor() as pool,
        ApiProcess(api.url, folder, "query_timeout = '1s'\n") as process,
        hanging(server),
    ):
        client = HttpClient(process.port, api.token)
        before = _sockets(process)
        reply = pool.submit(client.get, "/instances")
        until(lambda: _sockets(process) > before, 10, what="the request to be taken")
        until(lambda: client.get("/healthz").status == 200, 10, what="the loop to have been behind it")
        process.process.terminate()
        assert process.process.wait(30) == 0
        assert isinstance(reply.exception(15), OSError) or reply.result().status >= 500


def _sockets(process: ApiProcess) -> int:
    found = 0
    for file in Path(f"/proc/{process.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            found += str(file.readlink()).startswith("socket:")
    return found


def _new_instance(api: ApiServer) -> int:
    with contextlib.closing(StandIn(api.url)) as engine:
        return submitted(api, engine)


def _told(stream: Stream) -> list[int]:
    """The instances of the next delta that has some."""
    while not (rows := stream.next("delta").get("items", [])):
        pass
    return [row["id"] for row in rows]


def _say_so(api: ApiServer) -> None:
    """Health is of the process; readiness and lists are of the database: 503, with a time to come again."""
    assert api.get("/healthz").status == 200
    until(lambda: api.get("/readyz").status != 200, 30, what="the last answer to be too old")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked: list[Callable[[HttpClient], Reply]] = [
            lambda client: client.get("/readyz"),
            lambda client: client.get("/instances"),
            lambda client: client.get("/workflows"),
            lambda client: client.post("/submissions?wait=0", {"job": "hello"}),
        ]
        replies = [pool.submit(ask, api) for ask in asked]
        for reply in replies:
            found = reply.result(60)
            assert found.status == 503, found.body
            assert found.code in (50301, 50302), found.body
            assert "password" not in found.text
            assert int(found.headers["retry-after"]) > 0
    assert api.get("/healthz").status == 200
