"""The threads of the HTTP server: which one works, and when one ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qflowd.api.http.threads import HandlerThreads
from tests.support.daemon import until


@contextmanager
def threads(most: int, rest_s: float = 60.0) -> Iterator[HandlerThreads]:
    found = HandlerThreads(most, "test-api", rest_s)
    try:
        yield found
    finally:
        found.shutdown(cancel_futures=True)


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-api"]


def busy(pool: HandlerThreads, count: int) -> None:
    """Have so many of them at work at once."""
    together = threading.Barrier(count)
    for future in [pool.submit(together.wait, 10) for _ in range(count)]:
        future.result(20)


def test_what_comes_one_after_another_is_done_by_one_thread() -> None:
    with threads(4) as pool:
        busy(pool, 4)
        found = set()
        for _ in range(20):
            until(lambda: len(pool._idle) == 4, 10, what="all to rest")
            found.add(pool.submit(threading.get_ident).result(10))
        assert len(found) == 1


def test_a_thread_that_nothing_needs_ends_and_another_begins_where_one_is_needed() -> None:
    with threads(3, rest_s=0.05) as pool:
        busy(pool, 3)
        until(lambda: not alive(), 10, what="all to end")
        assert pool.submit(lambda: 7).result(10) == 7


def test_no_more_than_the_most_work_at_once_and_all_is_done() -> None:
    seen, now, lock = list[int](), 0, threading.Lock()

    def work() -> None:
        nonlocal now
        with lock:
            now += 1
            seen.append(now)
        with lock:
            now -= 1

    with threads(3, rest_s=0.001) as pool:  # some end while others are called
        for future in [pool.submit(work) for _ in range(2_000)]:
            future.result(20)
    assert len(seen) == 2_000
    assert max(seen) <= 3


def test_an_error_reaches_who_waits_and_the_thread_works_on() -> None:
    with threads(1) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result(10)
        assert pool.submit(lambda: 1).result(10) == 1


def test_the_end_waits_for_what_was_begun_and_cancels_what_was_not() -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        go.wait(10)
        return 1

    pool = HandlerThreads(1, "test-api")
    first, second = pool.submit(work), pool.submit(work)
    assert begun.wait(10)
    threading.Timer(0.05, go.set).start()
    pool.shutdown(cancel_futures=True)
    assert (first.result(0), second.cancelled(), alive()) == (1, True, [])
    with pytest.raises(RuntimeError, match="told to end"):
        pool.submit(work)
