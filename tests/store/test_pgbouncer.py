"""Behind PgBouncer's transaction pooling: the same behaviour, no session state left, and no trust in notifications."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qflowd.store.migrate import check, migrate
from qflowd.store.probe import probe_skip_locked
from qflowd.store.tx import Store, Tx
from tests.store.conftest import add_statement
from tests.support.pooler import pgbouncer
from tests.support.servers import Unavailable

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pooled_url(get_server):
    server = get_server("postgres")
    url = server.create_database()
    try:
        with pgbouncer(url) as pooled:
            yield pooled
    except Unavailable as error:
        no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        no(f"no PgBouncer: {error}")
    server.drop_database(url)


@pytest.fixture
def store(pooled_url):
    found = Store(pooled_url)
    migrate(found)
    yield found
    found.close()


def test_migrations_and_the_probe_go_through_the_pooler(store):
    check(store)
    probe_skip_locked(store)


def test_more_threads_than_server_sessions_lose_nothing(store):
    add_statement(store, "raise_fence", "UPDATE qflow.timer SET fence = fence + 1 WHERE task_id = 1")
    add_statement(store, "read_fence", "SELECT fence FROM qflow.timer WHERE task_id = 1")
    store.transact(lambda tx: tx.run("insert_timers", [(1, 0, 0, NOW)]))

    def add(tx: Tx) -> None:
        tx.run("raise_fence")

    def work() -> None:
        for _ in range(20):
            store.transact(add)
            store.read(lambda tx: tx.one("read_fence"))
        store.disconnect()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.read(lambda tx: tx.one("read_fence")).fence == 12 * 20


def test_nothing_of_a_transaction_stays_set_in_the_session(store):
    store.transact(lambda tx: tx.one("show_clock"))
    for name, value in (("lock_timeout", "0"), ("enable_seqscan", "on"), ("transaction_isolation", "read committed")):
        assert store.connection().script(f"SELECT current_setting('{name}')") == [(value,)]
    assert store.connection().script("SELECT COUNT(*) FROM pg_prepared_statements") == [(0,)]


@pytest.mark.parametrize("others", [0, 3])
def test_an_alarm_that_cannot_hear_falls_back_to_polling(store, others):
    busy = [store.dialect.connect() for _ in range(others)]
    for connection in busy:
        connection.begin()
    alarm = store.dialect.alarm()
    alarm.SLOW_S = 60.0
    try:
        alarm.wait(is_busy=False)  # finds out whether notifications come through
        start = time.monotonic()
        alarm.wait(is_busy=False)
        assert time.monotonic() - start < 30
    finally:
        alarm.close()
        for connection in busy:
            connection.rollback()
            connection.close()


def test_an_alarm_with_a_direct_connection_hears(postgres_store):
    alarm = postgres_store.dialect.alarm()
    alarm.SLOW_S = alarm.PROBE_S = 60.0
    try:
        alarm.wait(is_busy=False)
        notify = threading.Timer(0.2, lambda: postgres_store.connection().script("SELECT pg_notify('qflow', '')"))
        start = time.monotonic()
        notify.start()
        alarm.wait(is_busy=False)
        assert 0.1 < time.monotonic() - start < 30
        notify.join()
    finally:
        alarm.close()


def test_an_alarm_whose_connection_is_killed_listens_on_another(postgres_store):
    alarm = postgres_store.dialect.alarm()
    alarm.SLOW_S = 0.2
    ask = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    try:
        alarm.wait(is_busy=False)
        [(pid,)] = postgres_store.connection().script(ask)
        postgres_store.connection().script(f"SELECT pg_terminate_backend({pid}, 5000)")
        for _ in range(3):
            alarm.wait(is_busy=False)
        assert [row for row in postgres_store.connection().script(ask) if row != (pid,)]
    finally:
        alarm.close()


def test_a_daemon_runs_a_submission_through_the_pooler(store, pooled_url, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QFLOWD_")} | {"PYTHONPATH": str(ROOT)}

    def qflowd(*arguments: str) -> str:
        command = [sys.executable, "-m", "qflowd", *arguments]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    qflowd("init")
    environment["QFLOWD_DATABASE_URL"] = pooled_url
    number = int(qflowd("submit", "hello", "-p", "name=you"))
    qflowd("run", "--until-idle")
    [(state,)] = store.connection().script(f"SELECT state FROM qflow.instances WHERE id = {number}")
    assert state == "SUCCESS"
