"""Threads that a task starts work for its attempt: `context()`, prints, records and the traceback of a thread are its."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any

from qflowd.jobs.context import Context, current, make_current, running

_ATTEMPT = "_qflowd_attempt"


def inherit_attempts() -> None:
    """From now on, in this process: code that starts a thread, or submits to a thread pool, passes its attempt on.

    Python 3.14 can do the same with all context variables (`-X thread_inherit_context`), but not for thread pools.
    """
    _wrap_start(threading.Thread)
    _wrap_submit(ThreadPoolExecutor)


def _wrap_start(thread_class: Any) -> None:
    start, bootstrap = thread_class.start, thread_class._bootstrap_inner  # noqa: SLF001 - covers the traceback too

    @wraps(start)
    def start_for_attempt(thread: threading.Thread) -> None:
        thread.__dict__[_ATTEMPT] = current()
        start(thread)

    @wraps(bootstrap)
    def bootstrap_for_attempt(thread: threading.Thread) -> None:
        make_current(thread.__dict__.pop(_ATTEMPT, None))
        bootstrap(thread)

    thread_class.start, thread_class._bootstrap_inner = start_for_attempt, bootstrap_for_attempt  # noqa: SLF001


def _wrap_submit(executor_class: Any) -> None:
    submit = executor_class.submit

    @wraps(submit)
    def submit_for_attempt(
        executor: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> "Future[Any]":
        attempt = current()
        if attempt is not None:
            args, function = (attempt, function, *args), _call
        future: Future[Any] = submit(executor, function, *args, **kwargs)
        return future

    executor_class.submit = submit_for_attempt


def _call(attempt: Context, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    with running(attempt):
        return function(*args, **kwargs)
