"""What `doctor` finds about databases of others: each connection is tried, and no password is shown."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from qflowd.cli import connection_checks
from tests.cli.conftest import Run
from tests.support.stand_in import StandIn

Found = Callable[..., list[tuple[str, str, str, str]]]
REMEDY = "check that the server is up and lets this account in from this host; it is named by [connections.{}] or QFLOWD_CONNECTION_{}_URL"


@pytest.fixture
def found(run: Run, tmp_path: Path) -> Found:
    """What doctor finds of these connections."""

    def look(**tables: str) -> list[tuple[str, str, str, str]]:
        text = "\n".join(f"[connections.{name}]\n{table}" for name, table in tables.items())
        (tmp_path / "qflowd.toml").write_text(text)
        ran = run("doctor", "--json")
        assert "geheim" not in ran.out + ran.err
        return [
            (each["level"], each["about"], each["message"], each["remedy"])
            for each in ran.json["findings"]
            if each["about"].startswith("connection ")
        ]

    return look


def test_each_connection_is_tried_and_one_that_refuses_is_named_with_the_remedy(
    found: Found, engine: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_checks, "PATIENCE_S", 60.0)
    away = {
        "sqlite": "sqlite:////no/such/bars.db",
        "postgres": "postgresql://me:geheim@127.0.0.1:1/bars",
    }.get(engine.store.dialect.name, "mysql://me:geheim@127.0.0.1:1/bars")
    there, refused = found(there=f'url = "{engine.url}"\ntenants = ["desk", "ops"]', away_1=f'url = "{away}"')
    assert there[:2] == ("ok", "connection there")
    assert there[2].endswith(" answers, for tenants desk, ops")
    assert refused[:2] == ("warning", "connection away_1")
    assert refused[2].startswith(f"{away.replace(':geheim', '')}: ")
    assert refused[3] == REMEDY.format("away_1", "AWAY_1")


def test_servers_that_say_nothing_are_left_together(
    found: Found, sqlite_engine: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_checks, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"me:geheim@127.0.0.1:{listening.getsockname()[1]}/bars"
        lines = found(one=f'url = "postgresql://{place}"', two=f'url = "mysql://{place}"')
    assert [(level, about) for level, about, *_ in lines] == [
        ("warning", "connection one"),
        ("warning", "connection two"),
    ]
    assert all(message.endswith(": does not answer within 0.2 s") for _, _, message, _ in lines)


def test_without_connections_nothing_is_said(found: Found, sqlite_engine: StandIn) -> None:
    assert found() == []
