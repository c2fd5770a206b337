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
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

_USUAL = (
    signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE, signal.SIGUSR1,
    signal.SIGUSR2,
)  # fmt: skip
_OTHERS = sorted(set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP, *_USUAL})
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})


class Facet(NamedTuple):
    """One thing that a process has. `read` may give the thing itself: it is copied before it is kept."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _attributes(name: str, owner: Any, *names: str) -> Facet:
    def write(values: tuple[Any, ...]) -> None:
        for attribute, value in zip(names, values, strict=True):
            setattr(owner, attribute, value)

    return Facet(name, partial(attrgetter(*names), owner), write)


def _list(name: str, read: Callable[[], list[Any]]) -> Facet:
    def write(members: list[Any]) -> None:
        read()[:] = members

    return Facet(name, read, write)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_environment(kept: dict[bytes, bytes]) -> None:
    for name in os.environb.keys() - kept.keys():
        del os.environb[name]
    os.environb.update({name: value for name, value in kept.items() if os.environb.get(name) != value})


def _handlers(name: str, signals: Sequence[int]) -> Facet:
    def write(kept: list[Any]) -> None:
        for signum, handler in zip(signals, kept, strict=True):
            if handler is not None:  # else it is C's
                signal.signal(signum, handler)

    return Facet(name, lambda: [*map(_signal.getsignal, signals)], write)


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


_FRESH: tuple[Any, ...] = (logging.NOTSET, True, False, [], [])


def _loggers() -> dict[logging.Logger, tuple[Any, ...]]:
    """All that are not as `getLogger` makes them."""
    found = {}
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            handlers = [(handler, handler.level, handler.formatter, handler.filters[:]) for handler in logger.handlers]
            state = (logger.level, logger.propagate, logger.disabled, logger.filters[:], handlers)
            if state != _FRESH:
                found[logger] = state
    return found


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


_TIMER = Facet("a timer", partial(_signal.getitimer, _TIMERS[0]), _stop_timers)
_HANDLERS = _handlers("signal handlers", _USUAL)
_QUICK = (  # two microseconds together: after every task
    Facet("the current folder", os.getcwd, os.chdir),
    Facet("the environment", partial(attrgetter("environ._data"), os), _set_environment),
    Facet("the time zone", partial(attrgetter("tzname", "timezone", "altzone"), time), lambda _: time.tzset()),
    Facet("the umask", _umask, os.umask),
    Facet("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    _attributes("streams and hooks", sys, "stdout", "stderr", "stdin", "excepthook", "displayhook", "unraisablehook"),
    _list("sys.path", partial(attrgetter("path"), sys)),
    Facet("warnings filters", partial(attrgetter("filters"), warnings), _set_filters),
    _attributes("warnings.showwarning", warnings, "showwarning"),
    _list("handlers of logging", partial(attrgetter("handlers"), logging.root)),
    Facet("levels of logging", partial(attrgetter("level", "disabled", "manager.disable"), logging.root), _set_level),
    Facet("the trace function", sys.gettrace, sys.settrace),
    Facet("the profile function", sys.getprofile, sys.setprofile),
    Facet("garbage collection", gc.isenabled, lambda kept: gc.enable() if kept else gc.disable()),
    Facet("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
)  # fmt: skip
_THOROUGH = (  # tens of microseconds: after long tasks, and at the end of a chunk
    Facet("loggers", _loggers, _set_loggers),
    Facet("the locale", partial(_locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
    _handlers("other signal handlers", _OTHERS),
    Facet("the signal mask", partial(_signal.pthread_sigmask, signal.SIG_BLOCK, ()), partial(signal.pthread_sigmask, signal.SIG_SETMASK)),
    Facet("a timer of CPU time", lambda: [*map(_signal.getitimer, _TIMERS[1:])], _stop_timers),
    Facet("resource limits", lambda: [*map(resource.getrlimit, _LIMITS)], _set_limits),
    Facet("the nice value", partial(os.getpriority, os.PRIO_PROCESS, 0), partial(os.setpriority, os.PRIO_PROCESS, 0)),
    Facet("CPU affinity", partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)),
    Facet("user or group", lambda: (os.getresuid(), os.getresgid(), os.getgroups()), lambda _: None),
    Facet("faulthandler", _dumps_faults, lambda kept: faulthandler.enable(2) if kept else faulthandler.disable()),
    _attributes("hooks of threads", threading, "excepthook", "_trace_hook", "_profile_hook"),
    Facet("gc.get_threshold()", gc.get_threshold, lambda kept: gc.set_threshold(*kept)),
    Facet("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    Facet("the start method of multiprocessing", _start_method, _set_start_method),
)  # fmt: skip
_OF_MAIN_THREAD = frozenset({"other signal handlers", "the signal mask"})


class ProcessState:
    """One worker's process. With several `slots` nobody can tell whose a change is: it is put back when none has a task."""

    def __init__(self, slots: int) -> None:
        self._is_shared = slots > 1
        quick = _QUICK if self._is_shared else (*_QUICK, _HANDLERS, _TIMER)
        self._facets = [*quick, *(f for f in _THOROUGH if not (self._is_shared and f.name in _OF_MAIN_THREAD))]
        self._reads = [facet.read for facet in quick]
        self._lock = threading.Lock()
        self._running = 0
        self._kept: dict[str, list[Any]] = {}  # by module
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
        self._module, self._kept[module] = module, [_copy(facet.read()) for facet in self._facets]
        self._quick = self._kept[module][: len(self._reads)]

    def enter(self, module: str) -> None:
        """Jobs of `module` follow."""
        if self._is_shared:
            with self._lock:
                self._running += 1
        elif module != self._entered:
            self._entered = module
            self._module = key if (key := _key(module)) in self._kept else ""
            self._quick = self._kept[self._module][: len(self._reads)]
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
            return [read() for read in self._reads] == self._quick
        except Exception:  # noqa: BLE001 - such as a current folder that was deleted
            return False

    def _put_back(self) -> list[str]:
        changed = self._changed()
        for facet, value in changed:
            with contextlib.suppress(Exception):
                facet.write(value)
        return [facet.name for facet, _ in self._changed()] if changed else []

    def _changed(self) -> list[tuple[Facet, Any]]:
        found = []
        for facet, value in zip(self._facets, self._kept[self._module], strict=True):
            try:
                is_same = facet.read() == value
            except Exception:  # noqa: BLE001
                is_same = False
            if not is_same:
                found.append((facet, value))
        return found


def _key(module: str) -> str:
    return module.partition(":")[0]  # behind it a function of the module


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value
