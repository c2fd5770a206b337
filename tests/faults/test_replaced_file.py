"""A database that is replaced, or goes away, under those who have it open: nobody continues with the old one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from qflowd import connect
from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.daemon.embedded import Engine
from qflowd.model.errors import StoreUnavailable
from qflowd.store.dialects import sqlite
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.daemon import Daemon, until

PATIENCE_S = 30
JOBS = """
import time
from qflowd import job

@job
def quick(number: int) -> int:
    return number

@job
def negative(number: int) -> int:
    return -number

@job
def waits(file: str) -> None:
    open(file, "w").close()
    time.sleep(600)
"""


def run_quickly(number: int) -> int:
    return number


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "qflow.db"


@pytest.fixture
def daemon(file: Path, tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(f"sqlite:///{file}", tmp_path / "daemon", plugins={"jobs.py": JOBS}) as found:
        yield found


def client_of(file: Path) -> Client:
    return connect(f"sqlite:///{file}")


def run(file: Path, number: int) -> None:
    with client_of(file) as client:
        task = client.submit(job="quick", params={"number": number})
        assert (task.wait(PATIENCE_S), task.output()) == ("SUCCESS", number)


def back_up(file: Path) -> Path:
    """As the pages say."""
    copy = file.with_name("backup.db")
    connection = apsw.Connection(str(file))
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    return copy


def params_of(file: Path) -> list[str]:
    connection = apsw.Connection(str(file))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = [text for (text,) in connection.execute("SELECT params FROM submissions ORDER BY id")]
    connection.close()
    return rows


def is_ready_again(daemon: Daemon, times: int = 2) -> bool:
    return daemon.log().count("ready in ") == times


@pytest.mark.parametrize("with_log", [False, True], ids=["its log remains", "its log is removed"])
def test_a_daemon_starts_again_with_the_file_that_was_moved_over_its_own(daemon, file, tmp_path, with_log):
    pid, old, began = daemon.pid, tmp_path / "old.db", tmp_path / "began"
    run(file, 1)
    backup = back_up(file)
    run(file, 2)
    with client_of(file) as client:
        client.submit(job="waits", params={"file": str(began)})
    until(began.exists)
    os.link(file, old)
    before = hashlib.sha256(old.read_bytes()).digest()
    if with_log:
        for name in ("qflow.db-wal", "qflow.db-shm"):
            (tmp_path / name).unlink()
    backup.replace(file)
    until(lambda: is_ready_again(daemon), PATIENCE_S, what=daemon.log())
    run(file, 3)
    assert params_of(file) == ['{"number":1}', '{"number":3}'], "the backup, and what was submitted after it"
    assert hashlib.sha256(old.read_bytes()).digest() == before
    assert daemon.pid == pid
    assert daemon.log().count("was replaced by another file; its tasks are killed: restarting") == 1
    assert "Traceback" not in daemon.log()
    assert daemon.stop() == 0


def test_a_daemon_whose_file_is_moved_away_waits_for_it_and_continues(daemon, file, tmp_path):
    run(file, 1)
    file.rename(tmp_path / "away.db")
    until(lambda: "no longer exists" in daemon.log(), what="it says so")
    assert not file.exists(), "nobody made another"
    (tmp_path / "away.db").rename(file)
    run(file, 2)
    assert is_ready_again(daemon, 1)
    assert "Traceback" not in daemon.log()


def test_a_client_writes_to_the_file_that_is_there(file):
    store = Store(f"sqlite:///{file}")
    migrate(store)
    with Client(DatabaseTransport(store)) as client:
        copy = back_up(file)
        client.submit(job="quick", params={"number": 1})
        for name in (f"{file}-wal", f"{file}-shm"):
            Path(name).unlink()
        copy.replace(file)
        client.submit(job="quick", params={"number": 2})
        assert params_of(file) == ['{"number":2}']
        file.rename(copy)
        with pytest.raises(StoreUnavailable, match="no longer exists"):
            client.submit(job="quick", params={"number": 3})
        assert not file.exists()


def test_an_engine_says_that_it_must_be_started_again_and_then_serves_the_new_file(file, tmp_path, caplog):
    engine = Engine(f"sqlite:///{file}", run_dir=tmp_path)
    engine.with_job(run_quickly, name="quick", inline=True)
    with engine:
        run(file, 1)
        backup = back_up(file)
        run(file, 2)
        backup.replace(file)
        until(lambda: "stop this Engine and start it again" in caplog.text)
        with pytest.raises(StoreUnavailable, match="was replaced"):
            engine.run_until_idle(PATIENCE_S)
    with engine:
        run(file, 3)
    assert params_of(file) == ['{"number":1}', '{"number":3}']


def test_a_log_that_another_process_uses_is_left_to_the_user(file, monkeypatch):
    monkeypatch.setattr(sqlite, "CLOSE_S", 0.2)
    store = Store(f"sqlite:///{file}", lease_s=30)
    migrate(store)
    store.disconnect()
    store.read(lambda tx: tx.one("find_open_work"))  # by a connection that was opened on a file with a log
    code = f"import apsw; c = apsw.Connection({str(file)!r}); c.execute('SELECT 1 FROM submissions'); print(); input()"
    command = [sys.executable, "-c", code]
    copy = back_up(file)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        copy.replace(file)
        with pytest.raises(StoreUnavailable, match=f"process {other.pid} .*remove .*-wal and .*-shm"):
            store.close()
        other.communicate("\n")
    store.close()
    assert not Path(f"{file}-wal").exists()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_daemon_starts_again_with_the_database_that_was_made_anew(kind, request, tmp_path):
    """It would run other jobs than it is asked for: the numbers of lanes begin at 1 again."""
    server, url = request.getfixturevalue(f"{kind}_server"), request.getfixturevalue(f"{kind}_url")
    with Daemon(url, tmp_path, plugins={"jobs.py": JOBS}, daemon={"lease": "3s"}) as daemon:
        with connect(url) as client:
            assert client.submit(job="quick", params={"number": 1}).wait(PATIENCE_S) == "SUCCESS"
        if kind == "postgres":
            server.admin("DROP SCHEMA qflow CASCADE", url.rsplit("/", 1)[1])
        else:
            server.admin("DROP DATABASE qflow")
        migrate(store := Store(url))
        until(lambda: store.connection().script("SELECT id FROM qflow.daemon"), PATIENCE_S, what=daemon.log())
        store.close()
        with connect(url) as client:
            task = client.submit(job="negative", params={"number": 2})
            assert (task.wait(PATIENCE_S), task.output()) == ("SUCCESS", -2)
        assert is_ready_again(daemon)
        assert daemon.log().count("was replaced by another one; its tasks are killed: restarting") == 1
        assert daemon.stop() == 0
