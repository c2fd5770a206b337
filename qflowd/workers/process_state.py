"""What a task changes in its process beside its own objects, put back so that the next one does not meet it.

What importing a plugin module changes belongs to that module: it is there again whenever a job of the module runs. What
a job changes is gone with it. Context variables (with them the context of `decimal`) are fresh for each task anyway.
"""

import _locale
import _signal  # type: ignore[import-not-found]  # those of `signal` make enums, a microsecond each
import contextlib
import faulthandler
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple

_SIGNALS = sorted(set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP})
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})


class Facets(NamedTuple):
    """Things that a process has. `read` gives them all in one list: a call for each would take three times as long.

    `writers`: for each its name, and how it is put back. Lists and dicts in the list are copied before they are kept.
    """

    read: Callable[[], list[Any]]
    writers: Sequence[tuple[str, Callable[[Any], object]]]


def _setter(owner: Any, *names: str) -> Callable[[tuple[Any, ...]], None]:
    def write(values: tuple[Any, ...]) -> None:
        for name, value in zip(names, values, strict=True):
            setattr(owner, name, value)

    return write


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path for a comparison
    except OSError:  # it was deleted
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_environment(kept: dict[bytes, bytes]) -> None:
    for name in os.environb.keys() - kept.keys():
        del os.environb[name]
    os.environb.update({name: value for name, value in kept.items() if os.environb.get(name) != value})


def _set_handlers(kept: list[Any]) -> None:
    for signum, handler in zip(_SIGNALS, kept, strict=True):
        if handler is not None:  # else it is C's
            signal.signal(signum, handler)


def _stop_timers(_: object = None) -> None:
    for timer in _TIMERS:
        signal.setitimer(timer, 0)


def _set_filters(kept: list[Any]) -> None:
    warnings.resetwarnings()  # also forgets what was decided by the others
    warnings.filters[:] = kept  # type: ignore[index]


def _set_level(kept: tuple[int, bool, int]) -> None:
    level, logging.root.disabled, disabled_level = kept
    logging.root.setLevel(level)
    logging.disable(disabled_level)


_UNREADABLE = object()
_FRESH: tuple[Any, ...] = (logging.NOTSET, True, False, [], [])


def _loggers() -> dict[logging.Logger, tuple[Any, ...]]:
    """All that are not as `getLogger` makes them."""
    loggers = {}
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            handlers = [(handler, handler.level, handler.formatter, handler.filters[:]) for handler in logger.handlers]
            state = (logger.level, logger.propagate, logger.disabled, logger.filters[:], handlers)
            if state != _FRESH:
                loggers[logger] = state
    return loggers


def _set_loggers(kept: dict[logging.Logger, tuple[Any, ...]]) -> None:
    for logger in {**kept, **_loggers()}:
        level, logger.propagate, logger.disabled, logger.filters[:], handlers = kept.get(logger, _FRESH)
        logger.setLevel(level)
        logger.handlers[:] = [handler for handler, *_ in handlers]
        for handler, handler_level, formatter, filters in handlers:
            handler.level, handler.formatter, handler.filters[:] = handler_level, formatter, filters


def _set_limits(kept: list[tuple[int, int]]) -> None:
    for limit, values in zip(_LIMITS, kept, strict=True):
        if resource.getrlimit(limit) != values:
            resource.setrlimit(limit, values)


def _dumps_faults() -> bool:
    faulthandler.cancel_dump_traceback_later()
    return faulthandler.is_enabled()


def _start_method() -> str | None:
    module = sys.modules.get("multiprocessing")
    return module.get_start_method(allow_none=True) if module else None


def _set_start_method(kept: str | None) -> None:
    sys.modules["multiprocessing"].set_start_method(kept, force=True)


_QUICK = Facets(  # nothing here asks the kernel: after every task
    lambda: [
        os.environ,  # the object
        socket.getdefaulttimeout(),
        (sys.stdout, sys.stderr, sys.stdin, sys.excepthook, sys.displayhook, sys.unraisablehook),
        sys.path,
        warnings.filters,
        warnings.showwarning,
        logging.root.handlers,
        (logging.root.level, logging.root.disabled, logging.root.manager.disable),
        sys.gettrace(),
        sys.getprofile(),
        gc.isenabled(),
        sys.getrecursionlimit(),
    ],
    (
        ("os.environ", partial(setattr, os, "environ")),
        ("the default timeout of sockets", socket.setdefaulttimeout),
        (
            "streams and hooks",
            _setter(sys, "stdout", "stderr", "stdin", "excepthook", "displayhook", "unraisablehook"),
        ),
        ("sys.path", lambda kept: setattr(sys, "path", kept.copy())),
        ("warnings filters", _set_filters),
        ("warnings.showwarning", partial(setattr, warnings, "showwarning")),
        ("handlers of logging", lambda kept: setattr(logging.root, "handlers", kept.copy())),
        ("levels of logging", _set_level),
        ("the trace function", sys.settrace),
        ("the profile function", sys.setprofile),
        ("garbage collection", lambda kept: gc.enable() if kept else gc.disable()),
        ("the recursion limit", sys.setrecursionlimit),
    ),
)
_THOROUGH = Facets(  # asks the kernel: after tasks that are long or have called a setter, and at the end of a chunk
    lambda: [
        os.environ._data,  # type: ignore[attr-defined]  # noqa: SLF001 - without decoding anything
        _folder(),
        _umask(),
        (time.tzname, time.timezone, time.altzone),
        _loggers(),
        _locale.setlocale(locale.LC_ALL),
        [*map(_signal.getitimer, _TIMERS)],
        [*map(resource.getrlimit, _LIMITS)],
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getaffinity(0),
        (os.getresuid(), os.getresgid(), os.getgroups()),
        _dumps_faults(),
        (threading.excepthook, threading._trace_hook, threading._profile_hook),  # type: ignore[attr-defined]  # noqa: SLF001
        gc.get_threshold(),
        sys.getswitchinterval(),
        _start_method(),
    ],
    (
        ("the environment", _set_environment),
        ("the current folder", os.chdir),
        ("the umask", os.umask),
        ("the time zone", lambda _: time.tzset()),
        ("loggers", _set_loggers),
        ("the locale", partial(locale.setlocale, locale.LC_ALL)),
        ("a timer", _stop_timers),
        ("resource limits", _set_limits),
        ("the nice value", partial(os.setpriority, os.PRIO_PROCESS, 0)),
        ("CPU affinity", partial(os.sched_setaffinity, 0)),
        ("user or group", lambda _: None),
        ("faulthandler", lambda kept: faulthandler.enable(2) if kept else faulthandler.disable()),
        ("hooks of threads", _setter(threading, "excepthook", "_trace_hook", "_profile_hook")),
        ("gc.get_threshold()", lambda kept: gc.set_threshold(*kept)),
        ("the switch interval", sys.setswitchinterval),
        ("the start method of multiprocessing", _set_start_method),
    ),
)
_OF_MAIN_THREAD = Facets(  # with the thorough look
    lambda: [[*map(_signal.getsignal, _SIGNALS)], _signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    (
        ("signal handlers", _set_handlers),
        ("the signal mask", partial(signal.pthread_sigmask, signal.SIG_SETMASK)),
    ),
)


# What is dear to compare and jobs do change is not asked for after each task: these say that they were called.
_SETTERS = (
    (os, "chdir"), (os, "fchdir"), (os, "umask"), (os, "putenv"), (os, "unsetenv"), (time, "tzset"),
    (signal, "signal"), (signal, "alarm"), (signal, "setitimer"), (signal, "siginterrupt"), (signal, "pthread_sigmask"),
)  # fmt: skip
_called: list[str] = []


def watch_setters() -> None:
    """Once in a process, before user code is imported."""
    for module, name in _SETTERS:
        plain = getattr(module, name)
        watched, home = _watched(plain), sys.modules[plain.__module__]
        setattr(module, name, watched)
        if getattr(home, name) is plain:  # where pickle looks for it
            setattr(home, name, watched)


def _watched(plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def call(*args: Any, **more: Any) -> Any:
        _called.append(plain.__name__)
        return plain(*args, **more)

    return call


class ProcessState:
    """One worker's process. With several `slots` a change may be any task's: it is put back when none has a task."""

    def __init__(self, slots: int) -> None:
        self._is_shared = slots > 1
        self._facets = (_QUICK, _THOROUGH) if self._is_shared else (_QUICK, _THOROUGH, _OF_MAIN_THREAD)
        self._lock = threading.Lock()
        self._running = 0
        self._kept: dict[str, list[list[Any]]] = {}  # by module
        self._module = self._entered = ""
        self.rebase()

    def rebase(self) -> None:
        """What there is now is how jobs find the process, unless their module changed it when it was imported."""
        self._keep("")

    def adopt(self, module: str) -> None:
        """`module` has just been imported: what there is now is how its jobs find the process."""
        module = _key(module)
        if self._is_shared:
            self._keep("")
        elif module not in self._kept:
            self._keep(module)

    def _keep(self, module: str) -> None:
        _stop_timers()
        self._kept[module] = [[_copy(value) for value in facets.read()] for facets in self._facets]
        self._module = module
        _called.clear()

    def enter(self, module: str) -> None:
        """Jobs of `module` follow."""
        if self._is_shared:
            with self._lock:
                self._running += 1
        elif module != self._entered:
            self._entered = module
            self._module = key if (key := _key(module)) in self._kept else ""
            self._put_back()

    def leave(self, *, is_thorough: bool) -> list[str]:
        """A task has ended: put back what it changed, with `is_thorough` also what hardly anybody changes.

        Returns: what cannot be put back.
        """
        if not self._is_shared:
            return self._restore(is_thorough=is_thorough)
        with self._lock:
            self._running -= 1
            return [] if self._running else self._restore(is_thorough=is_thorough)

    def _restore(self, *, is_thorough: bool) -> list[str]:
        return self._put_back() if is_thorough or not self._is_intact() else []

    def _is_intact(self) -> bool:
        try:
            return not _called and _QUICK.read() == self._kept[self._module][0]
        except Exception:  # noqa: BLE001 - such as a stream that was deleted
            return False

    def _put_back(self) -> list[str]:
        changed = self._changed()
        for _, write, value in changed:
            with contextlib.suppress(Exception):
                write(value)
        lasting = [name for name, _, _ in self._changed()] if changed else []
        _called.clear()
        return lasting

    def _changed(self) -> list[tuple[str, Callable[[Any], object], Any]]:
        changed = []
        for facets, kept in zip(self._facets, self._kept[self._module], strict=True):
            try:
                now = facets.read()
            except Exception:  # noqa: BLE001 - then all of these are put back
                now = [_UNREADABLE] * len(kept)
            pairs = zip(facets.writers, now, kept, strict=True)
            changed += [
                (name, write, value)
                for (name, write), current, value in pairs
                if current is not value
                and current != value  # two mappings of the environment are compared by decoding all
            ]
        return changed


def _key(module: str) -> str:
    return module.partition(":")[0]  # behind it a function of the module


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value
