"""Running commands in this process, against a store with a stand-in for the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qflowd.cli import main
from tests.conftest import KINDS, GetServer
from tests.support.stand_in import StandIn, stand_in_of


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QFLOWD_DATABASE_URL", raising=False)
    for name in ("QFLOWD_CONFIG", "QFLOWD_URL", "QFLOWD_TOKEN", "QFLOWD_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*args: str | int) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[StandIn]:
    yield from stand_in_of(request.param, get_server)


@pytest.fixture
def engine(run: Run, shared: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A store on each database, shared by a module's tests, that commands find by the environment; with its stand-in."""
    monkeypatch.setenv("QFLOWD_DATABASE_URL", shared.url)
    return shared


@pytest.fixture
def own_engine(run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The same for one test alone. MariaDB has room for one store, so no module may use both."""
    yield from _found_by_environment(database_url, monkeypatch)


@pytest.fixture
def sqlite_engine(run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """One test's own, for what does not depend on the database."""
    yield from _found_by_environment(sqlite_url, monkeypatch)


def _found_by_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("QFLOWD_DATABASE_URL", url)
    stand_in = StandIn(url)
    yield stand_in
    stand_in.close()
