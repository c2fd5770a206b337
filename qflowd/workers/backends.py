"""What runs the tasks of a pool: the protocol of a backend, and the router that the engine talks to."""

import contextlib
import os
import select
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

from qflowd.workers.events import Asked, Event, StopReason
from qflowd.workers.log_budget import PrintedLine
from qflowd.workers.wire import Chunk, now_us

NEVER_US: Final = 1 << 62


class Backend(Protocol):
    """Runs the tasks of one pool or several. One thread owns it; what is safe from any thread says so.

    Every task that is sent ends in exactly one Finished, Returned or Broken of `take`, whatever happens to it. Methods
    with a body are for backends that need nothing else; instants are microseconds of CLOCK_BOOTTIME.
    """

    def start(self, manifest: bytes) -> None:
        """Begin; user code comes from `manifest`. Returns before anything is up."""

    def adopt(self, manifest: bytes) -> None:
        """A new generation of user code: what runs keeps the old one, what begins later has the new one."""

    def room(self, pool: str) -> int:
        """How many chunks `send` takes now."""

    def idle(self, pool: str) -> int:
        """How many slots have nothing to do: where long tasks go, one each."""

    def runs_in_order(self, pool: str) -> bool:
        """Whether the tasks of a chunk run one after another, in their order; then they can share a slot of a limit."""
        return False

    def send(self, pool: str, chunk: Chunk) -> None:
        """Run these tasks. Called only while `room(pool)` is above 0."""

    def stop(self, task_ids: Collection[int], reason: StopReason) -> None:
        """End those of these tasks that are here: Broken with `reason`, or Returned if they have not begun."""

    def give_back(self, task_ids: Collection[int]) -> None:
        """Let those of these tasks that have not begun come back: Returned. Others may come back with them.

        A backend that begins whatever it is sent at once needs no more than this.
        """

    def answer(self, asked: Asked, text: str | None, error: str) -> None:
        """The output that a task has asked for, as JSON text; None: `error` says why it cannot be had.

        Does nothing if the task is gone. A backend whose tasks never ask needs no more than this.
        """

    def held(self) -> set[tuple[int, int]]:
        """(task_id, fence) of everything sent and not answered."""

    def fileno(self) -> int:
        """A descriptor that is readable while `take` has something to tell; see `Bell`."""

    def take(self) -> list[Event]:
        """What has happened since the last call; never waits."""

    def due_us(self) -> int:
        """When `take` is to be called even if nothing is readable."""
        return NEVER_US

    def read_logs(self) -> list[PrintedLine]:
        """What tasks have printed and logged since the last call. Safe from any thread, one at a time."""
        return []

    def keep_alive(self, until_us: int) -> None:
        """Unless called again, nothing may begin after `until_us`, and what runs is killed. Safe from any thread."""

    def drain(self) -> None:
        """The end is near: what has begun continues, the rest comes back; nothing is sent any more."""

    def kill_all(self) -> None:
        """End everything now; all that is held comes back through `take`, without an attempt lost."""

    def close(self) -> None:
        """Give back all resources; what is still held is not reported any more."""


class Bell:
    """A descriptor that any thread can make readable, and that stays so until it is reset."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._fd

    def ring(self) -> None:
        """Safe from any thread and any signal handler, also once it is closed."""
        with contextlib.suppress(OSError, ValueError):  # closed: -1
            os.eventfd_write(self._fd, 1)

    def reset(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


class Backends:
    """All pools of a daemon, whatever runs them. One thread owns it.

    Args:
        by_pool: several pools may share a backend.
    """

    def __init__(self, by_pool: Mapping[str, Backend]) -> None:
        self._by_pool = dict(by_pool)
        self._all = list({id(backend): backend for backend in by_pool.values()}.values())
        self._is_draining = False
        self._bell = Bell()
        self._epoll = select.epoll()
        for fd in (self._bell.fileno(), *(backend.fileno() for backend in self._all)):
            self._epoll.register(fd, select.EPOLLIN)

    def start(self, manifest: bytes) -> None:
        for backend in self._all:
            backend.start(manifest)

    def adopt(self, manifest: bytes) -> None:
        for backend in self._all:
            backend.adopt(manifest)

    def room(self, pool: str) -> int:
        return 0 if self._is_draining else self._by_pool[pool].room(pool)

    def idle(self, pool: str) -> int:
        return 0 if self._is_draining else self._by_pool[pool].idle(pool)

    def runs_in_order(self, pool: str) -> bool:
        return self._by_pool[pool].runs_in_order(pool)

    def send(self, pool: str, chunk: Chunk) -> None:
        self._by_pool[pool].send(pool, chunk)

    def stop(self, task_ids: Iterable[int], reason: StopReason = "terminated") -> None:
        """End these tasks, wherever they are."""
        if wanted := set(task_ids):
            for backend in self._all:
                backend.stop(wanted, reason)

    def give_back(self, task_ids: Iterable[int]) -> None:
        """Let those of these tasks that have not begun come back."""
        if wanted := set(task_ids):
            for backend in self._all:
                backend.give_back(wanted)

    def answer(self, asked: Asked, text: str | None, error: str = "") -> None:
        """Send an output to the task that has asked for it."""
        for backend in self._all:
            backend.answer(asked, text, error)

    def held(self) -> set[tuple[int, int]]:
        return set().union(*(backend.held() for backend in self._all))

    def poll(self, timeout_s: float) -> list[Event]:
        """Wait until something has happened, `wake` was called, or `timeout_s` is over; tell what happened."""
        end_us = now_us() + round(timeout_s * 1e6)
        while True:
            due_us = min([end_us, *(backend.due_us() for backend in self._all)])
            ready = {fd for fd, _ in self._epoll.poll(max(0.0, (due_us - now_us()) / 1e6))}
            now, events = now_us(), []
            for backend in self._all:
                if backend.fileno() in ready or backend.due_us() <= now:
                    events += backend.take()
            if is_woken := self._bell.fileno() in ready:
                self._bell.reset()
            if events or is_woken or now >= end_us:
                return events

    def wake(self) -> None:
        """Make `poll` return soon. Safe from any thread and any signal handler."""
        self._bell.ring()

    def read_logs(self) -> list[PrintedLine]:
        return [line for backend in self._all for line in backend.read_logs()]

    def keep_alive(self, until_us: int) -> None:
        for backend in self._all:
            backend.keep_alive(until_us)

    def drain(self) -> None:
        self._is_draining = True
        for backend in self._all:
            backend.drain()

    def kill_all(self) -> None:
        for backend in self._all:
            backend.kill_all()

    def close(self) -> None:
        for backend in self._all:
            backend.close()
        self._epoll.close()
        self._bell.close()
