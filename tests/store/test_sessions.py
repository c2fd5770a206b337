"""What a session is set to, as the server itself reports it: isolation, time zone, timeouts, found rows."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from qflowd.model.errors import StoreUnavailable
from qflowd.store.dialects.base import Disconnected
from qflowd.store.dialects.mysql import SESSIONS
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store, Tx
from tests.store.conftest import add_statement, opened
from tests.support.daemon import until

NOW = datetime(2026, 11, 20, 9, 30, 1, 234567, tzinfo=UTC)


def setting(store: Store, sql: str) -> str:
    """Ask inside a transaction of the door."""
    add_statement(store, "ask", f"SELECT {sql} AS value")
    return str(store.transact(lambda tx: tx.one("ask")).value)


def test_postgresql_runs_in_read_committed_whatever_the_database_prefers(postgres_server, postgres_store):
    name = postgres_store.dialect.url.rsplit("/", 1)[1]
    for level in ("serializable", "repeatable read"):
        postgres_server.admin(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
        postgres_store.disconnect()
        assert setting(postgres_store, "current_setting('transaction_isolation')") == "read committed"


def test_postgresql_transactions_cannot_hang_for_ever(postgres_store):
    for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        assert setting(postgres_store, f"current_setting('{name}')") not in ("0", "")
    # A pooler hands the session to others: nothing may stay set after the transaction.
    [(left,)] = postgres_store.connection().script("SELECT current_setting('lock_timeout')")
    assert left == "0"


def test_postgresql_does_not_compile_a_scan_of_two_rows(postgres_store):
    """A forbidden scan that is the only way looks dear enough for JIT: 20 ms for each submission."""
    connection = postgres_store.connection()
    connection.begin()
    plan = connection.script("EXPLAIN (ANALYZE) SELECT 1 FROM qflow.waker WHERE is_asleep = 1")
    connection.rollback()
    assert not [line for (line,) in plan if "JIT" in line]


def test_postgresql_plans_once_what_transactions_do_again_and_again(postgres_store):
    """Not what is read outside: its plan would be kept although the table was empty when it was made."""
    prepared = "SELECT from_sql FROM pg_prepared_statements WHERE statement LIKE '%MIN(due_at)%'"
    for _ in range(10):
        postgres_store.read(lambda tx: tx.one("find_open_work"))
    assert postgres_store.connection().script(prepared) == []
    for _ in range(10):
        postgres_store.transact(lambda tx: tx.one("find_open_work"))
    assert postgres_store.connection().script(prepared) == [(False,)]


def test_postgresql_plans_once_what_a_session_that_only_reads_asks(postgres_url):
    """Of views of a hundred lines the plan takes longer than the rows, so the first one is kept already."""
    migrate(Store(postgres_url))
    store = Store(postgres_url, read_s=60)
    for rows in ([(1,), (2,)], [(1,)]):  # one plan for one row and for many
        store.read(lambda tx, rows=rows: tx.run("list_instance_items", rows=rows, tenant="default"))
    planned = (
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%qflow.instances v%'"
    )
    assert store.connection().script(planned) == [(2, 0)]
    store.close()


def test_postgresql_plans_a_statement_with_a_row_set_once(postgres_store):
    for number in range(10):
        postgres_store.transact(lambda tx, number=number: tx.run("list_present", rows=[(number,)]))
    planned = "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE '%JOIN qflow.task_instance%'"
    assert postgres_store.connection().script(planned) == [(0,)]


def test_postgresql_continues_when_the_schema_changes_under_a_prepared_statement(postgres_store):
    add_statement(postgres_store, "ask_type", "SELECT value FROM qflow.changing")
    other = postgres_store.dialect.connect()
    other.script("CREATE TABLE qflow.changing AS SELECT 1 AS value")
    for _ in range(10):
        postgres_store.transact(lambda tx: tx.one("ask_type"))
    other.script("ALTER TABLE qflow.changing ALTER value TYPE text")
    other.close()
    with pytest.raises(StoreUnavailable, match="cached plan"):
        postgres_store.transact(lambda tx: tx.one("ask_type"))
    assert postgres_store.transact(lambda tx: tx.one("ask_type")).value == "1"


def test_what_postgresql_cannot_do_at_all_is_not_an_outage(postgres_store):
    with pytest.raises(psycopg.Error, match="partition strategy"):
        postgres_store.connection().script("CREATE TABLE qflow.nowhere (n int) PARTITION BY LIST (n, n)")


def test_postgresql_instants_are_the_same_under_another_time_zone(postgres_server, postgres_store):
    name = postgres_store.dialect.url.rsplit("/", 1)[1]
    postgres_server.admin(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")
    postgres_store.disconnect()
    assert setting(postgres_store, "current_setting('timezone')") == "Asia/Shanghai"
    postgres_store.transact(lambda tx: tx.run("insert_timers", [(1, 0, 0, NOW)]))
    found = postgres_store.read(lambda tx: tx.one("next_timer")).due_at
    assert found == NOW
    assert found.tzinfo is UTC


def test_mariadb_runs_in_read_committed_and_utc_whatever_the_server_prefers(mariadb_server, mariadb_store):
    mariadb_server.admin("SET GLOBAL tx_isolation = 'SERIALIZABLE'")
    mariadb_server.admin("SET GLOBAL time_zone = '+09:00'")
    try:
        mariadb_store.disconnect()
        assert setting(mariadb_store, "@@tx_isolation") == "READ-COMMITTED"
        assert setting(mariadb_store, "@@time_zone") == "+00:00"
        assert "STRICT_ALL_TABLES" in setting(mariadb_store, "@@sql_mode")
        assert setting(mariadb_store, "@@autocommit") == "1"
        server_at = mariadb_store.read(lambda tx: tx.one("show_clock")).server_at
        assert abs((server_at - datetime.now(UTC)).total_seconds()) < 60
    finally:
        mariadb_server.admin("SET GLOBAL tx_isolation = 'REPEATABLE-READ'")
        mariadb_server.admin("SET GLOBAL time_zone = 'SYSTEM'")


def test_a_poll_sees_what_was_committed_between_two_polls(shared):
    # PyMySQL without autocommit would look at its first snapshot for ever.
    assert shared.read(lambda tx: tx.one("count_new", tenant="default")).submissions == 0
    other = shared.dialect.connect()
    other.begin()
    other.script("INSERT INTO qflow.submissions (workflow) VALUES ('x')")
    other.commit()
    other.close()
    assert shared.read(lambda tx: tx.one("count_new", tenant="default")).submissions == 1


def test_an_empty_claim_that_stays_open_holds_up_no_client(mariadb_store):
    # Under REPEATABLE READ its gap lock would.
    mariadb_store.connection().begin()
    claim = mariadb_store.catalog["claim_tasks"]
    assert mariadb_store.connection().run(claim, {"lane": 1, "owner": 1, "batch": 10}, ()) == []
    client = mariadb_store.dialect.connect()
    client.script("SET SESSION innodb_lock_wait_timeout = 1")
    client.script(
        "INSERT INTO qflow.task_instance (id, node, state, lane, priority, open_parents, need) VALUES (1, 0, 1, 1, 0, 0, 0)"
    )
    client.close()
    mariadb_store.connection().rollback()


def test_sqlite_is_durable_and_takes_turns(sqlite_store):
    connection = sqlite_store.connection()
    assert connection.script("PRAGMA qflow.journal_mode") == [("wal",)]
    assert connection.script("PRAGMA qflow.synchronous") == [(2,)]
    assert connection.script("PRAGMA database_list")[0][1:] == ("main", "")  # nothing lies in the main database


def test_what_a_session_may_wait_follows_from_the_lease(database_server, get_server):
    with opened(get_server, database_server.kind) as store:
        daemons = Store(
            store.dialect.url if store.dialect.has_row_locks else f"sqlite:///{store.dialect.file}", lease_s=60.0
        )
        assert (daemons.dialect.limits.lock_s, daemons.dialect.limits.idle_s) == (20.0, 60.0)
        if daemons.dialect.name == "postgres":
            assert setting(daemons, "current_setting('lock_timeout')") == "20s"
            assert setting(daemons, "current_setting('idle_in_transaction_session_timeout')") == "1min"
        elif daemons.dialect.name == "mysql":
            assert setting(daemons, "@@innodb_lock_wait_timeout") == "20"
            assert setting(daemons, "@@idle_transaction_timeout") == "60"
        daemons.close()


def is_cut(store: Store) -> bool:
    try:
        store.connection().script("SELECT 1")
    except Disconnected:
        return True
    return False


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_the_sessions_of_a_daemon_end_by_its_name_and_no_others_do(get_server, kind):
    with opened(get_server, kind) as store:
        mine, other = Store(store.dialect.url), Store(store.dialect.url)
        mine.session_name, other.session_name = "qflowd-abc-1", "qflowd-abc-12"
        for daemon in (mine, other):
            daemon.connection().begin()
            daemon.connection().script("UPDATE qflow.meta SET value = value WHERE name = 'nobody'")
        store.end_sessions("qflowd-abc-1")
        until(lambda: is_cut(mine), 5)
        assert other.connection().script("SELECT 1") == [(1,)]
        other.connection().rollback()
        for daemon in (mine, other):
            daemon.close()


def test_each_session_of_a_daemon_gets_a_name_that_is_free_mostly_at_once(mariadb_store):
    dialect = Store(mariadb_store.dialect.url).dialect
    sessions = [dialect.connect("qflowd-abc-1") for _ in range(SESSIONS - 1)]
    asked = "SELECT " + ", ".join(f"IS_USED_LOCK('qflowd-abc-1.{number}')" for number in range(SESSIONS))
    assert [number for number in sessions[0].script(asked)[0] if number is not None] == [
        session.script("SELECT CONNECTION_ID()")[0][0] for session in sessions
    ]
    sessions.append(dialect.connect("qflowd-abc-1"))
    freed = sessions.pop(5).script("SELECT CONNECTION_ID(), RELEASE_LOCK('qflowd-abc-1.5')")[0][0]
    late = dialect.connect("qflowd-abc-1")  # the place that comes next is taken, and so are some behind it
    assert sessions[0].script("SELECT IS_USED_LOCK('qflowd-abc-1.5')") == late.script("SELECT CONNECTION_ID()")
    assert late.script("SELECT CONNECTION_ID()") != [(freed,)]
    for session in (*sessions, late):
        session.close()


def test_a_session_of_an_old_name_is_replaced_but_not_in_a_transaction(shared):
    daemon = Store(shared.dialect.url if shared.dialect.has_row_locks else f"sqlite:///{shared.dialect.file}")
    first = daemon.connection()

    def rename(tx: Tx) -> None:
        daemon.session_name = "qflowd-abc-2"
        assert daemon.connection() is first

    daemon.transact(rename)
    assert daemon.connection() is not first
    daemon.close()
