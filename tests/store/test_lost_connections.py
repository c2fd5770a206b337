"""A connection that is gone: the caller hears StoreUnavailable, nothing is half written, the next call connects anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pymysql
import pytest

from qflowd.model.errors import StoreUnavailable
from qflowd.store.dialects import mysql_connection
from qflowd.store.dialects.base import Disconnected
from qflowd.store.tx import Store, Tx
from tests.conftest import GetServer
from tests.store.conftest import add_statement, opened
from tests.support.proxy import Proxy

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BOUNDARIES = ["before the transaction", "begin", "first statement", "second statement", "before_commit", "after_commit"]


@pytest.fixture(params=["postgres", "mariadb"], scope="module")
def server_store(request: pytest.FixtureRequest, get_server: GetServer):
    with opened(get_server, request.param) as found:
        yield found


@pytest.fixture
def cut(server_store: Store) -> Callable[[], None]:
    """Ends this thread's session from another one, as an administrator or a failover would."""
    is_postgres = server_store.dialect.name == "postgres"

    def kill() -> None:
        [(number,)] = server_store.connection().script(
            "SELECT " + ("pg_backend_pid()" if is_postgres else "CONNECTION_ID()")
        )
        other = server_store.dialect.connect()
        other.script(f"SELECT pg_terminate_backend({number}, 5000)" if is_postgres else f"KILL {number}")
        other.close()

    return kill


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_session_killed_at_any_boundary_writes_all_or_nothing(server_store, cut, monkeypatch, boundary):
    add_statement(server_store, "list_timers", "SELECT task_id FROM qflow.timer ORDER BY task_id")
    add_statement(server_store, "delete_all", "DELETE FROM qflow.timer")
    server_store.transact(lambda tx: tx.run("delete_all"))

    def point(name: str, where: str) -> None:
        if where == boundary:
            cut()

    def work(tx: Tx) -> None:
        tx.run("insert_timers", [(1, 0, 0, NOW)])
        if boundary == "first statement":
            cut()
        tx.run("insert_timers", [(2, 0, 0, NOW)])
        if boundary == "second statement":
            cut()

    if boundary == "before the transaction":
        cut()
    with monkeypatch.context() as patch:
        patch.setattr(server_store, "_fault", point)
        if boundary == "after_commit":
            server_store.transact(work)
        else:
            with pytest.raises(StoreUnavailable, match="lost the database in transaction work"):
                server_store.transact(work)
        if boundary == "after_commit":  # nobody noticed yet; the next one does
            with pytest.raises(StoreUnavailable):
                server_store.read(lambda tx: tx.run("list_timers"))
    found = [row.task_id for row in server_store.read(lambda tx: tx.run("list_timers"))]
    assert found == ([1, 2] if boundary == "after_commit" else [])


def test_a_lost_connection_while_reading_is_store_unavailable_and_the_next_read_goes_through(server_store, cut):
    cut()
    with pytest.raises(StoreUnavailable, match="lost the database"):
        server_store.read(lambda tx: tx.one("show_clock"))
    assert server_store.read(lambda tx: tx.one("show_clock")).server_at.tzinfo is not None


def test_an_error_of_the_function_after_a_cut_leaves_no_dead_connection(server_store, cut):
    def work(tx: Tx) -> None:
        cut()
        raise KeyError("mine")

    with pytest.raises(KeyError):
        server_store.transact(work)
    assert server_store.transact(lambda tx: tx.one("show_clock"))


def test_a_server_that_is_down_is_store_unavailable_at_every_call(get_server):
    for url in ("postgresql://postgres@127.0.0.1:1/x", "mysql://root@127.0.0.1:1/"):
        store = Store(url)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot reach"):
                store.transact(lambda tx: tx.one("show_clock"))
        with pytest.raises(StoreUnavailable, match="cannot reach"):
            store.read(lambda tx: tx.one("show_clock"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("mariadb", "SET SESSION"),
        ("mariadb", "max_allowed_packet"),
        ("mariadb", "SELECT VERSION()"),
        ("mariadb", "information_schema"),
        ("mariadb", "USE qflow"),
        ("postgres", "user"),
        ("postgres", "pg_backend_pid"),
    ],
)
def test_a_session_that_breaks_in_its_first_statements_is_an_outage(get_server, kind, words):
    server = get_server(kind)
    with opened(get_server, kind) as migrated, Proxy(server.port) as proxy:
        store = Store(migrated.dialect.url.replace(f":{server.port}", f":{proxy.port}"))
        proxy.hang_up_on(words)
        with pytest.raises(StoreUnavailable):
            store.dialect.connect()
        assert store.read(lambda tx: tx.one("show_clock"))
        store.close()


def test_a_sqlite_file_in_a_folder_that_is_not_there_is_store_unavailable(tmp_path):
    with pytest.raises(StoreUnavailable, match="check that the folder exists"):
        Store(f"sqlite:///{tmp_path}/no/such/qflow.db").connection()


def test_a_file_that_is_not_a_sqlite_database_is_store_unavailable_and_untouched(tmp_path):
    file = tmp_path / "qflow.db"
    file.write_bytes(b"not a database, " * 300)
    with pytest.raises(StoreUnavailable, match=str(file)):
        Store(f"sqlite:///{file}").connection()
    assert file.read_bytes() == b"not a database, " * 300


def test_a_server_that_takes_no_writes_for_now_is_store_unavailable(postgres_server, postgres_store):
    """After a failover the session may be that of a replica: results are kept until there is a primary."""
    name = postgres_store.dialect.url.rsplit("/", 1)[1]
    postgres_server.admin(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgres_store.disconnect()
    with pytest.raises(StoreUnavailable, match="read-only"):
        postgres_store.transact(lambda tx: tx.run("insert_code", hash="h", file="f"))
    postgres_server.admin(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    postgres_store.transact(lambda tx: tx.run("insert_code", hash="h", file="f"))


@pytest.mark.parametrize("code", [1021, 1290, 1317, 1836, 4031])
def test_a_mysql_server_without_disk_or_rights_to_write_is_away(code):
    with pytest.raises(Disconnected), mysql_connection.translated():
        raise pymysql.err.OperationalError(code, "the server cannot")


def test_a_sqlite_file_that_cannot_be_written_is_store_unavailable(sqlite_store):
    sqlite_store.connection().script("PRAGMA query_only = 1")
    with pytest.raises(StoreUnavailable, match="readonly"):
        sqlite_store.transact(lambda tx: tx.run("insert_code", hash="h", file="f"))
    sqlite_store.disconnect()
