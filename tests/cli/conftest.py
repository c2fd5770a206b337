"""Running commands in this process, against a store with a stand-in for the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qflowd.cli import main
from tests.client.conftest import StandIn


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
    monkeypatch.delenv("QFLOWD_CONFIG", raising=False)

    def run(*args: str | int) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def engine(run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A store on each database that commands find by the environment, with its stand-in."""
    monkeypatch.setenv("QFLOWD_DATABASE_URL", database_url)
    stand_in = StandIn(database_url)
    yield stand_in
    stand_in.close()


@pytest.fixture
def sqlite_engine(run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The same on SQLite alone, for what does not depend on the database."""
    monkeypatch.setenv("QFLOWD_DATABASE_URL", sqlite_url)
    stand_in = StandIn(sqlite_url)
    yield stand_in
    stand_in.close()
