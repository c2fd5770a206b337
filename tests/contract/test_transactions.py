"""Transactions of users and those of the daemon do not stand in each other's way."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.contract.desk import Desk
from tests.support.daemon import BUSY

SERVERS = "one writer at a time: nothing to overtake"


def test_a_row_is_not_seen_before_it_is_committed(desk: Desk):
    user = desk.connect()
    desk.run("BEGIN", connection=user)
    number = desk.submit(connection=user, job="hello")
    if desk.kind != "sqlite":  # there the daemon could not write at all
        desk.is_alive()
        assert desk.run("SELECT id FROM qflow.submissions WHERE id = %s", (number,)) == []
    desk.run("COMMIT", connection=user)
    assert desk.ended(number)["state"] == "SUCCESS"
    user.close()


def test_a_lower_id_that_commits_last_is_not_forgotten(desk: Desk):
    if desk.kind == "sqlite":
        pytest.skip(SERVERS)
    first, second = desk.connect(), desk.connect()
    desk.run("BEGIN", connection=first)
    low = desk.submit(connection=first, job="hello")
    high = desk.submit(connection=second, job="hello")
    assert low < high
    assert desk.ended(high)["state"] == "SUCCESS"
    desk.run("COMMIT", connection=first)
    assert desk.ended(low)["state"] == "SUCCESS"
    first.close()
    second.close()


def test_a_row_that_a_client_holds_waits_and_others_do_not(desk: Desk):
    if desk.kind == "sqlite":
        pytest.skip(SERVERS)
    held_by, other = desk.connect(), desk.connect()
    desk.run("BEGIN", connection=held_by)
    held = desk.submit(connection=held_by, job="hello")
    command = desk.insert("commands", held_by, action="terminate", instance_id=held)
    began = time.monotonic()
    for _ in range(5):
        assert desk.ended(desk.submit(connection=other, job="hello"))["state"] == "SUCCESS"
        assert desk.command("explode")["state"] == "REJECTED"
    assert time.monotonic() - began < 5 * BUSY
    desk.run("COMMIT", connection=held_by)
    assert desk.answer(held)["state"] == "ACCEPTED"
    desk.answer(command, "commands")
    held_by.close()
    other.close()


def test_rows_locked_by_a_client_are_taken_when_it_lets_go(desk: Desk):
    """A held, answered row too: nobody needs it."""
    if desk.kind == "sqlite":
        pytest.skip(SERVERS)
    done = desk.submit(job="hello")
    desk.ended(done)
    user = desk.connect()
    desk.run("BEGIN", connection=user)
    desk.run("SELECT id FROM qflow.submissions WHERE id = %s FOR UPDATE", (done,), user)
    desk.is_alive()
    desk.run("ROLLBACK", connection=user)
    user.close()


def test_a_reader_with_an_old_snapshot_stalls_nobody(desk: Desk):
    number = desk.submit(workflow="daily_bars")
    desk.ended(number)
    user = desk.connect()
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if desk.kind == "postgres" else "BEGIN"
    desk.run(begin, connection=user)  # repeatable read is MariaDB's default
    views = ("submissions", "instances", "tasks", "attempts", "logs", "daemons")
    before = {view: count(desk, view, user) for view in views}
    began = time.monotonic()
    for _ in range(3):
        assert desk.ended(desk.submit(workflow="daily_bars"))["state"] == "SUCCESS"
    assert time.monotonic() - began < 10 * BUSY
    assert {view: count(desk, view, user) for view in views} == before
    desk.run("COMMIT", connection=user)
    assert count(desk, "instances", user) >= before["instances"] + 3
    user.close()


def count(desk: Desk, view: str, connection: Any) -> int:
    return int(desk.run(f"SELECT COUNT(*) AS n FROM qflow.{view}", connection=connection)[0]["n"])


def test_a_short_write_transaction_of_a_user_on_sqlite_only_delays(desk: Desk):
    if desk.kind != "sqlite":
        pytest.skip("only SQLite has one writer")
    user = desk.connect()
    desk.run("BEGIN IMMEDIATE", connection=user)
    number = desk.submit(connection=user, job="hello")
    time.sleep(1.0)  # what a clumsy user does
    desk.run("COMMIT", connection=user)
    assert desk.ended(number)["state"] == "SUCCESS"
    assert desk.daemon.is_running
    user.close()
