"""Databases of others as they may be: silent, with answers of any size and shape. Each is asked through its real driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from qflowd.store.guests import guest
from qflowd.store.guests.guest import LONGEST_ROW, TOO_LONG, GuestFailed, visit
from tests.support.lab import Lab
from tests.support.proxy import Proxy
from tests.support.signals_sent import signals


def long_value(lab: Lab, length: int) -> str:
    """An expression for a string of so many characters."""
    return {"sqlite": f"hex(zeroblob({length // 2}))", "postgres": f"repeat('0', {length})"}.get(
        lab.store.dialect.name, f"REPEAT('0', {length})"
    )


def first(lab: Lab, sql: str, params: dict[str, Any] | None = None) -> Any:
    with visit(lab.url, "test") as session:
        return session.first_value(sql, params or {})


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1 DESC", 2),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1 LIMIT 2", 1),
        ("SELECT count(*) FROM (SELECT 1 AS a UNION ALL SELECT 2) x", 2),
        ("SELECT '5% of :d'", "5% of :d"),
    ],
)
def test_of_several_rows_the_first_is_the_answer_and_the_whole_query_is_run(lab: Lab, sql: str, value: Any) -> None:
    assert first(lab, sql) == (value,)


def test_an_answer_that_is_too_long_is_refused_and_the_next_query_is_answered(lab: Lab) -> None:
    fits, too_long = long_value(lab, LONGEST_ROW // 2), long_value(lab, LONGEST_ROW + 2)
    for sql in (f"SELECT {too_long}", f"SELECT 1, {too_long}"):
        with pytest.raises(GuestFailed) as told:
            first(lab, sql)
        assert str(told.value) == TOO_LONG
    with visit(lab.url, "test") as session:
        for _ in range(3):  # what has come is counted for each query by itself
            assert session.first_value(f"SELECT {fits}", {}) == ("0" * (LONGEST_ROW // 2),)


def test_rows_without_a_column_are_refused(lab: Lab) -> None:
    if lab.store.dialect.name != "postgres":
        pytest.skip("only PostgreSQL has such rows")
    with pytest.raises(GuestFailed, match="the query gives rows without a column"):
        first(lab, "SELECT FROM qflow.meta")


def test_a_server_that_falls_silent_between_two_queries_is_left(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    if lab.store.dialect.name == "sqlite":
        pytest.skip("it has no peer")
    for kind in ("postgres", "mysql"):
        monkeypatch.setattr(f"qflowd.store.guests.{kind}_guest.PEER_S", 1)
    parts = urlsplit(lab.url)
    with Proxy(parts.port or 0) as proxy:
        place = parts.netloc.rpartition(":")[0]
        with visit(urlunsplit(parts._replace(netloc=f"{place}:{proxy.port}")), "test") as session:
            assert session.first_value("SELECT 1", {}) == (1,)
            proxy.swallow()
            with pytest.raises(GuestFailed):
                session.first_value("SELECT 1", {})


def test_it_is_tried_by_a_query_that_reads_it(lab: Lab, tmp_path: Any) -> None:
    with visit(lab.url, "test") as session:
        session.probe()
    (tmp_path / "bars.db").write_text("not a database " * 100)
    with pytest.raises(GuestFailed, match="not a database"), visit(f"sqlite:///{tmp_path}/bars.db", "test") as session:
        session.probe()


def test_a_session_that_only_half_begins_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Odd(guest.Guest):
        stopped = ()

        def open(self, name: str) -> None:
            raise RuntimeError("an unknown system variable")

        def _first_value(self, sql: str, params: Any) -> None: ...

        def close(self) -> None:
            closed.append("odd")

    monkeypatch.setattr(guest, "_kind_of", lambda url: Odd)
    with pytest.raises(GuestFailed, match="an unknown system variable"), visit("odd://", "test"):
        pass
    assert closed == ["odd"]


def test_nothing_is_written(lab: Lab) -> None:
    with visit(lab.url, "test") as session, pytest.raises(GuestFailed, match=r"(?i)read.?only"):
        session.first_value(f"DELETE FROM {signals(lab)}" if "postgres" not in lab.url else _writing(lab), {})


def _writing(lab: Lab) -> str:
    """A SELECT that writes."""
    return f"SELECT nextval(pg_get_serial_sequence('{signals(lab)}', 'id'))"


def test_the_database_that_a_url_names_is_the_one_that_is_asked(lab: Lab) -> None:
    own = {"sqlite": "main", "postgres": urlsplit(lab.url).path[1:]}.get(lab.store.dialect.name, "information_schema")
    url = lab.url if own != "information_schema" else urlunsplit(urlsplit(lab.url)._replace(path=f"/{own}"))
    asked = {"sqlite": "SELECT name FROM pragma_database_list", "postgres": "SELECT current_database()"}
    with visit(url, "test") as session:
        value = session.first_value(asked.get(lab.store.dialect.name, "SELECT DATABASE()"), {})
    assert value == (own,)


def test_a_server_that_says_nothing_is_left(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    if lab.store.dialect.name != "postgres":
        pytest.skip("its driver has a limit of its own, or it has no peer")
    monkeypatch.setattr("qflowd.store.guests.postgres_guest.PEER_S", 0.2)
    with visit(lab.url, "test") as session, pytest.raises(GuestFailed) as told:
        session.first_value("SELECT 1 FROM (SELECT pg_sleep(60)) x", {})
    assert "stopped after" not in str(told.value)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(GuestFailed), visit(f"sqlite:///{tmp_path}/bars.db", "test"):
        pass
    assert not (tmp_path / "bars.db").exists()
