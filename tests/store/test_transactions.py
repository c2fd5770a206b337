"""The door for transactions: run again on conflicts, all or nothing, faults where tests want them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.store.dialects.base import Retryable
from qflowd.store.tx import TRIES, Store, Tx
from tests.store.conftest import add_statement

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
_ids = itertools.count(1)


def rows(store: Store, count: int) -> list[int]:
    """So many timers whose fence is 0; a test counts in it."""
    add_statement(store, "raise_fence", "UPDATE qflow.timer SET fence = fence + 1 WHERE task_id = :id")
    add_statement(store, "read_fence", "SELECT fence FROM qflow.timer WHERE task_id = :id")
    ids = [next(_ids) for _ in range(count)]
    store.transact(lambda tx: tx.run("insert_timers", [(i, 0, 0, NOW) for i in ids]))
    return ids


def fence(store: Store, number: int) -> int:
    return int(store.read(lambda tx: tx.one("read_fence", id=number)).fence)


def in_threads(*work: Callable[[], Any]) -> None:
    """Run all at once; the first error is raised here."""
    errors: list[BaseException] = []

    def guarded(one: Callable[[], Any]) -> None:
        try:
            one()
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("shared", ["postgres", "mariadb"], indirect=True)
def test_a_deadlock_is_run_again_from_the_start(shared):
    first, second = rows(shared, 2)
    both_hold_one = threading.Barrier(2)
    one_is_through = threading.Event()
    runs: list[int] = []

    def cross(own: int, other: int) -> None:
        def work(tx: Tx) -> None:
            is_first_run = own not in runs
            runs.append(own)
            if not is_first_run:  # a victim that is back before the other has woken would be in a second deadlock
                assert one_is_through.wait(20)
            tx.run("raise_fence", id=own)
            if is_first_run:
                both_hold_one.wait(20)
            tx.run("raise_fence", id=other)

        shared.transact(work)
        one_is_through.set()
        shared.disconnect()

    in_threads(lambda: cross(first, second), lambda: cross(second, first))
    assert len(runs) == 3  # one of the two was the victim, once
    assert (fence(shared, first), fence(shared, second)) == (2, 2)


def test_a_serialization_failure_is_run_again(postgres_store):
    [number] = rows(postgres_store, 1)
    add_statement(postgres_store, "set_level", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        if len(runs) == 1:
            tx.run("set_level")
            tx.run("read_fence", id=number)
            in_threads(lambda: elsewhere(postgres_store, number))
        tx.run("raise_fence", id=number)

    postgres_store.transact(work)
    assert len(runs) == 2
    assert fence(postgres_store, number) == 2


def elsewhere(store: Store, number: int) -> None:
    store.transact(lambda tx: tx.run("raise_fence", id=number))
    store.disconnect()


def test_a_lock_wait_that_ends_at_the_second_statement_rolls_the_whole_transaction_back(mariadb_store):
    # MariaDB undoes the statement only; a COMMIT after it would keep half of the work.
    mine, held = rows(mariadb_store, 2)
    holder = mariadb_store.dialect.connect()
    holder.begin()
    holder.script(f"UPDATE qflow.timer SET fence = 100 WHERE task_id = {held}")
    mariadb_store.connection().script("SET SESSION innodb_lock_wait_timeout = 1")
    seen: list[int] = []

    def work(tx: Tx) -> None:
        seen.append(tx.one("read_fence", id=mine).fence)
        if len(seen) == 2:
            holder.rollback()
        tx.run("raise_fence", id=mine)
        tx.run("raise_fence", id=held)

    mariadb_store.transact(work)
    holder.close()
    assert seen == [0, 0]
    assert (fence(mariadb_store, mine), fence(mariadb_store, held)) == (1, 1)


def test_conflicts_without_end_become_store_unavailable(shared):
    [number] = rows(shared, 1)
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.run("raise_fence", id=number)
        raise Retryable("again")

    with pytest.raises(StoreUnavailable, match=f"conflict {TRIES} times"):
        shared.transact(work)
    assert len(runs) == TRIES
    assert fence(shared, number) == 0


def test_an_error_of_the_function_writes_nothing_and_leaves_the_connection_usable(shared):
    [number] = rows(shared, 1)

    def work(tx: Tx) -> None:
        tx.run("raise_fence", id=number)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        shared.transact(work)
    assert fence(shared, number) == 0
    shared.transact(lambda tx: tx.run("raise_fence", id=number))
    assert fence(shared, number) == 1


def test_a_part_that_is_refused_is_undone_and_the_transaction_continues(shared):
    first, second = rows(shared, 2)

    def refuse(tx: Tx) -> None:
        tx.run("raise_fence", id=first)
        raise QflowdError

    def work(tx: Tx) -> None:
        tx.part(lambda tx: tx.run("raise_fence", id=first))
        for _ in range(2):
            with pytest.raises(QflowdError):
                tx.part(refuse)
        tx.run("raise_fence", id=second)

    shared.transact(work)
    assert (fence(shared, first), fence(shared, second)) == (1, 1)


def test_a_statement_that_is_wrong_leaves_the_connection_usable(shared):
    [number] = rows(shared, 1)
    add_statement(shared, "bad_one", "SELECT no_such_column FROM qflow.timer")

    def work(tx: Tx) -> None:
        tx.run("raise_fence", id=number)
        tx.run("bad_one")

    with pytest.raises(Exception, match="no_such_column"):
        shared.transact(work)
    assert fence(shared, number) == 0


def test_fault_points_are_passed_in_order(shared, monkeypatch):
    [number] = rows(shared, 1)
    points: list[tuple[str, str]] = []
    monkeypatch.setattr(shared, "_fault", lambda name, point: points.append((name, point)))

    def raise_it(tx: Tx) -> None:
        points.append(("raise_it", "work"))
        tx.run("raise_fence", id=number)

    shared.transact(raise_it)
    assert points == [("raise_it", p) for p in ("begin", "work", "before_commit", "after_commit")]


@pytest.mark.parametrize(("where", "written"), [("begin", 0), ("before_commit", 0), ("after_commit", 1)])
def test_a_fault_before_the_commit_undoes_and_one_after_it_does_not(shared, monkeypatch, where, written):
    [number] = rows(shared, 1)

    def strike(name: str, point: str) -> None:
        if point == where:
            raise InterruptedError(point)

    monkeypatch.setattr(shared, "_fault", strike)
    with pytest.raises(InterruptedError):
        shared.transact(lambda tx: tx.run("raise_fence", id=number))
    monkeypatch.setattr(shared, "_fault", None)
    assert fence(shared, number) == written


def test_a_conflict_at_the_commit_is_run_again(shared, monkeypatch):
    [number] = rows(shared, 1)
    struck: list[str] = []

    def strike(name: str, point: str) -> None:
        if point == "before_commit" and not struck:
            struck.append(name)
            raise Retryable("serialization failure at COMMIT")

    monkeypatch.setattr(shared, "_fault", strike)
    shared.transact(lambda tx: tx.run("raise_fence", id=number))
    assert struck
    assert fence(shared, number) == 1


def test_two_equal_updates_count_one_row_each(shared):
    # Found rows, not changed rows: two heartbeats within a microsecond are no lost lease.
    [number] = rows(shared, 1)
    add_statement(shared, "set_fence", "UPDATE qflow.timer SET fence = 5 WHERE task_id = :id")
    counts = [shared.transact(lambda tx: tx.count("set_fence", id=number)) for _ in range(2)]
    assert counts == [1, 1]
    add_statement(shared, "set_fences", "{update: qflow.timer t, id bigint | t.task_id = d.id} fence = 5")
    counts = [shared.transact(lambda tx: tx.count("set_fences", [(number,), (-1,)])) for _ in range(2)]
    assert counts == [1, 1]


def test_results_are_read_to_their_end_so_that_nothing_stays_locked(shared):
    # An open cursor of UPDATE … RETURNING keeps SQLite's write lock; an unread result blocks the other drivers.
    many = rows(shared, 50)
    add_statement(shared, "list_some", "SELECT task_id FROM qflow.timer WHERE task_id >= :first ORDER BY task_id")
    assert shared.transact(lambda tx: tx.one("list_some", first=many[0])).task_id == many[0]
    other = shared.dialect.connect()
    other.begin()
    other.script(f"UPDATE qflow.timer SET fence = 9 WHERE task_id = {many[0]}")
    other.commit()
    other.close()
    assert fence(shared, many[0]) == 9


ADDER = """
import sys
from qflowd.store.tx import Store
from qflowd.store.catalog import Statement
store = Store(sys.argv[1])
store.catalog["read_it"] = Statement("read_it", "SELECT fence FROM qflow.timer WHERE task_id = :id")
store.catalog["write_it"] = Statement("write_it", "UPDATE qflow.timer SET fence = :fence WHERE task_id = :id")
def add(tx):
    tx.run("write_it", id=1, fence=tx.one("read_it", id=1).fence + 1)
for _ in range(int(sys.argv[2])):
    store.transact(add)
"""


def test_four_processes_that_read_and_then_write_one_sqlite_file_lose_nothing(sqlite_store):
    sqlite_store.transact(lambda tx: tx.run("insert_timers", [(1, 0, 0, NOW)]))
    command = [sys.executable, "-c", ADDER, sqlite_store.dialect.describe(), "50"]
    adders = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [adder.communicate(timeout=60)[1].decode() for adder in adders]
    assert errors == [""] * 4
    add_statement(sqlite_store, "read_fence", "SELECT fence FROM qflow.timer WHERE task_id = :id")
    assert fence(sqlite_store, 1) == 200


def test_a_store_carried_over_a_fork_is_refused_and_the_parent_keeps_its_connection(shared):
    [number] = rows(shared, 1)
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests do not matter to this child
        child = os.fork()
    if child == 0:
        said = []
        for use in (shared.transact, shared.read):
            try:
                use(lambda tx: tx.run("raise_fence", id=number))
                said.append("went through")
            except RuntimeError as error:
                said.append("refused" if "fork" in str(error) else str(error))
        os.write(write_end, " ".join(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        assert pipe.read() == "refused refused"
    assert fence(shared, number) == 0
    shared.transact(lambda tx: tx.run("raise_fence", id=number))
    assert fence(shared, number) == 1
