"""A session that may read only for so long: the statement is stopped, and the session is as good as before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from qflowd.model.errors import QueryTooSlow
from qflowd.store.catalog import Statement
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store


def pile(height: int) -> Statement:
    """A statement that looks at so many rows to the power of three."""
    text = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {height}) "
    return Statement("pile", text + "SELECT COUNT(*) AS found FROM n a, n b, n c WHERE a.i * b.i + c.i <> 1")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    found = Store(database_url)
    migrate(found)
    found.close()
    found = Store(database_url, read_s=0.2)
    yield found
    found.close()


def test_a_statement_that_reads_for_too_long_is_stopped_and_the_next_one_runs(store: Store) -> None:
    began = time.monotonic()
    with pytest.raises(QueryTooSlow):
        store.connection().run(pile(900), {}, ())
    assert time.monotonic() - began < 30  # it would take minutes
    assert store.connection().run(pile(3), {}, ())
    assert store.read(lambda tx: tx.one("show_clock")) is not None


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_statement_in_a_transaction_is_not_stopped(request: pytest.FixtureRequest, kind: str) -> None:
    """MariaDB has one limit for all statements."""
    url = request.getfixturevalue(f"{kind}_url")
    store = Store(url)
    migrate(store)
    store.close()
    store = Store(url, read_s=0.1)  # what opens a session fits in, on a machine under load as well
    connection = store.connection()
    connection.begin()
    began = time.monotonic()
    [row] = connection.run(pile(160), {}, ())
    assert time.monotonic() - began > 0.1
    connection.commit()
    assert row.found > 0
    store.close()
