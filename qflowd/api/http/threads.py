"""The threads in which handlers run: as many as are at work at once, and none for long that has nothing to do."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Final

REST_S: Final = 120.0  # then a session of the database would be replaced at its next use


class HandlerThreads(Executor):
    """Up to `most` threads. What is submitted goes to the one that came to rest last, so that the others can end.

    Each has a session of the database, which ends with it. A session on PostgreSQL keeps plans, megabytes of each view that
    it has read: threads that took turns would have as many of them as there are threads.
    """

    def __init__(self, most: int, name: str, rest_s: float = REST_S) -> None:
        self._most, self._name, self._rest_s = most, name, rest_s
        self._lock = threading.Lock()
        self._waiting = deque[tuple[Future[Any], Callable[[], Any]]]()
        self._idle: list[threading.Semaphore] = []
        self._threads: set[threading.Thread] = set()
        self._is_shut = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have it run in a thread. Raises: RuntimeError after `shutdown`."""
        future = Future[Any]()
        with self._lock:
            if self._is_shut:
                raise RuntimeError("the threads have been told to end")
            self._waiting.append((future, partial(fn, *args, **kwargs)))
            if self._idle:
                self._idle.pop().release()
            elif len(self._threads) < self._most:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as Executor has it
        """Have the threads end when all is done, or with `cancel_futures` what they have begun."""
        with self._lock:
            self._is_shut = True
            while cancel_futures and self._waiting:
                self._waiting.popleft()[0].cancel()
            while self._idle:
                self._idle.pop().release()
            threads = list(self._threads)
        for thread in threads if wait else ():
            thread.join()

    def _run(self) -> None:
        called = threading.Semaphore(0)
        while True:
            with self._lock:
                next_one = self._waiting.popleft() if self._waiting else None
                if next_one is None and self._is_shut:
                    return
                if next_one is None:
                    self._idle.append(called)
            if next_one is not None:
                _run(*next_one)
            elif not called.acquire(timeout=self._rest_s) and self._may_end(called):
                return

    def _may_end(self, called: threading.Semaphore) -> bool:
        """Whether this thread was not called in the very moment in which it had rested for long enough."""
        with self._lock:
            if called not in self._idle:
                called.acquire()
                return False
            self._idle.remove(called)
            self._threads.discard(threading.current_thread())
            return True


def _run(future: Future[Any], work: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)
