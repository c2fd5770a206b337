"""Alarms that are asked to wait an hour end when somebody writes, and ask for a look when they may have missed something."""

from __future__ import annotations

import threading

import pytest

from qflowd.store.dialects import sqlite_alarm

HOUR = 3600.0
INSERT = "INSERT INTO qflow.submissions (workflow) VALUES ('nothing')"


class Waiter:
    """An alarm in a thread of its own; every wait is one of an hour unless something ends it."""

    def __init__(self, store):
        self.alarm = store.dialect.alarm()
        self.alarm.SLOW_S = HOUR
        self.orders, self.ends = threading.Semaphore(0), threading.Semaphore(0)
        self.told = ()
        self.is_over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.orders.acquire() and not self.is_over:
            self.told = self.alarm.wait(is_busy=False)
            self.ends.release()

    def begin(self):
        self.orders.release()

    def has_ended(self, within_s=30.0):
        return self.ends.acquire(timeout=within_s)

    def settle(self):
        """Wait until it has seen all there is: then it sleeps."""
        self.begin()
        while self.has_ended(1.0):
            self.begin()

    def close(self):
        self.is_over = True
        self.orders.release()
        while self.thread.is_alive():
            self.alarm.wake()
            self.thread.join(0.05)
        self.alarm.close()


def commit(client):
    client.begin()
    client.script(INSERT)
    client.commit()


@pytest.fixture
def waiter(store):
    found = Waiter(store)
    yield found
    found.close()


@pytest.fixture(params=["sqlite_store", "postgres_store", "mariadb_store"])
def store(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def client(store):
    connection = store.dialect.connect()
    yield connection
    connection.close()


@pytest.fixture
def client_of_mariadb(mariadb_store):
    connection = mariadb_store.dialect.connect()
    yield connection
    connection.close()


def test_what_was_written_before_an_alarm_could_hear_is_not_missed(waiter, client):
    commit(client)
    waiter.begin()
    assert waiter.has_ended()


def test_a_commit_of_another_ends_the_wait(store, waiter, client):
    if store.dialect.has_waker:
        store.transact(lambda tx: tx.run("set_asleep", id=1, is_asleep=1), name="sleep")
    waiter.settle()
    commit(client)
    assert waiter.has_ended()
    assert waiter.told == ({"submissions"} if store.dialect.has_waker else ())


def test_whoever_waits_can_be_woken(waiter):
    waiter.settle()
    waiter.alarm.wake()
    assert waiter.has_ended()


def test_an_alarm_whose_session_was_killed_asks_for_a_look(mariadb_store):
    waiter = Waiter(mariadb_store)
    waiter.settle()
    kill = "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
    for (text,) in mariadb_store.connection().script(kill):
        mariadb_store.connection().script(text)
    assert waiter.has_ended()
    waiter.close()


def test_a_row_that_stays_uncommitted_is_asked_for_ever_more_rarely(mariadb_store, client_of_mariadb):
    alarm = mariadb_store.dialect.alarm()
    alarm.wait(is_busy=False)  # connects
    client_of_mariadb.begin()
    client_of_mariadb.script(INSERT)
    pauses = []
    for _ in range(10):
        alarm.wait(is_busy=False)
        pauses.append(alarm._pause_s)
    assert pauses == sorted(pauses)
    assert pauses[-1] == alarm.LATE_S
    client_of_mariadb.commit()
    alarm.SLOW_S = HOUR
    alarm.wait(is_busy=False)
    assert mariadb_store.read(lambda tx: tx.one("find_open_work")).submission is not None
    alarm.close()


@pytest.mark.parametrize("kernel", ["refuses", "is silent"])
def test_a_commit_is_seen_where_the_kernel_tells_nothing(sqlite_store, tmp_path, monkeypatch, kernel):
    (tmp_path / "never written").touch()
    inotify = None if kernel == "refuses" else sqlite_alarm.watch_writes(str(tmp_path / "never written"))
    monkeypatch.setattr(sqlite_alarm, "watch_writes", lambda _: inotify)
    waiter, client = Waiter(sqlite_store), sqlite_store.dialect.connect()
    waiter.begin()
    assert waiter.has_ended()
    commit(client)
    waiter.settle()  # sees a commit that nobody has told of, and looks by itself from here on
    commit(client)
    assert waiter.has_ended()
    waiter.close()
    client.close()


def test_a_commit_whose_writes_came_before_the_watch_is_seen_soon(sqlite_store, tmp_path, monkeypatch):
    """It becomes visible only once the disk has it; the kernel told of its writes while nobody listened."""
    (tmp_path / "never written").touch()
    inotify = sqlite_alarm.watch_writes(str(tmp_path / "never written"))
    monkeypatch.setattr(sqlite_alarm, "watch_writes", lambda _: inotify)
    waiter, client = Waiter(sqlite_store), sqlite_store.dialect.connect()
    waiter.begin()
    assert waiter.has_ended()
    waiter.begin()
    commit(client)
    assert waiter.has_ended(10)
    waiter.close()
    client.close()
