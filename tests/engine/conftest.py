"""The engine without a daemon, on each database. A store is made once for all tests, and wiped before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import KINDS, GetServer
from tests.support import lock_order
from tests.support.bulk import CHAIN
from tests.support.kept import KeptStore
from tests.support.lab import Lab
from tests.support.versions import Folder

OpenLab = Callable[[str], Lab]


@pytest.fixture(scope="session")
def open_lab(get_server: GetServer) -> Iterator[OpenLab]:
    """Give an engine on the session's store of a kind, wiped."""
    urls: dict[str, str] = {}
    stores: dict[str, KeptStore] = {}

    def open_store(kind: str) -> Lab:
        server = get_server(kind)
        if kind not in urls:
            urls[kind] = server.create_store()
            stores[kind] = KeptStore(urls[kind])
        lab = Lab(urls[kind], kept=stores[kind])
        lab.wipe()
        return lab

    yield open_store
    for kind, url in urls.items():
        stores[kind].close()
        get_server(kind).drop_database(url)


@pytest.fixture(params=KINDS)
def lab(request: pytest.FixtureRequest, open_lab: OpenLab) -> Iterator[Lab]:
    """An engine on an empty store, its clock set; on each database in turn."""
    found = open_lab(request.param)
    yield found
    found.close()


@pytest.fixture
def chains(lab: Lab) -> Lab:
    """With three workflows of two tasks, to give commands for many instances."""
    for key in ("daily_bars", "daily_news", "chain"):
        lab.workflow(key, CHAIN)
    return lab


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Folder:
    """A folder of workflow files over that store."""
    return Folder(lab, tmp_path)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A folder where files come in."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _lock_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every transaction of these tests keeps to the lock order."""
    lock_order.watch(monkeypatch)
