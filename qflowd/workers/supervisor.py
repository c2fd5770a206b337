"""The supervisor: starts the nursery and the workers, and others when they are gone."""

import contextlib
import errno
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qflowd.config.records import PoolConfig
from qflowd.model.instruments import Instruments, WorkerExited, WorkerStarted
from qflowd.workers import orders
from qflowd.workers.backends import NEVER_US
from qflowd.workers.handle import Handle, new_handle
from qflowd.workers.nursery_link import NurseryLink
from qflowd.workers.wire import now_us

log = logging.getLogger("qflowd")
_LONG_LIFE_US = 10_000_000  # a nursery that exits sooner is not started again at once
_BACKOFF_US = (100_000, 500_000, 2_000_000, 5_000_000)


@dataclass(slots=True)
class _Place:
    """A place for one worker of a pool; it is filled again when its worker is gone."""

    pool: str
    slots: int
    number: int = 0  # of the worker; 0: empty
    fill_at_us: int = 0
    failures: int = 0

    def put_off(self, now: int) -> None:
        """The worker here could not run: start the next one later and later."""
        self.failures += 1
        self.fill_at_us = now + _BACKOFF_US[min(self.failures, len(_BACKOFF_US)) - 1]


class Supervisor:
    """The nursery and all workers; arguments as of `Processes`, whose affair it is what workers are sent and answer."""

    def __init__(
        self,
        pools: Mapping[str, PoolConfig],
        *,
        env: Mapping[str, str],
        cwd: str,
        run_dir: str,
        lock_fd: int | None,
        instruments: Instruments,
    ) -> None:
        self.workers: dict[int, Handle] = {}
        self.nursery: NurseryLink | None = None
        self._env, self._cwd, self._run_dir, self._lock_fd = dict(env), cwd, run_dir, lock_fd
        self._instruments = instruments
        self._places = [_Place(name, size.threads) for name, size in pools.items() for _ in range(size.processes)]
        self._nursery_place = _Place("", 0)  # it is restarted in the same way
        self._manifest_fd = -1
        self._deadline: orders.Deadline | None = None  # the last one; a nursery that is started later gets it too
        self._last_number = 0
        self._has_begun = False  # all workers were started once

    def set_manifest(self, manifest: bytes) -> None:
        """A new generation: workers that are started from now on import from `manifest`."""
        if self._manifest_fd >= 0:
            os.close(self._manifest_fd)
        with os.fdopen(os.memfd_create("qflowd-manifest", os.MFD_CLOEXEC), "wb") as file:
            file.write(manifest)
            file.flush()
            # Opened again for reading alone: all workers share it.
            self._manifest_fd = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)

    def start_nursery(self) -> NurseryLink | None:
        """Start the nursery, if there is none and it is time; then returns it."""
        if self.nursery is not None or now_us() < self._nursery_place.fill_at_us:
            return None
        self.nursery = NurseryLink(self._env, self._lock_fd)
        if self._deadline is not None:
            self.order(self._deadline)
        return self.nursery

    def keep_alive(self, until_us: int) -> None:
        """Until when the workers may live, unless the nursery gets a later deadline. Safe from any thread."""
        self._deadline = orders.Deadline(until_us)
        self.order(self._deadline)

    def fill_places(self) -> Iterator[Handle]:
        """Start a worker for each empty place whose time has come.

        Raises: OSError the first time, out of descriptors or of disk: the person who starts the daemon can fix it.
            Later it may be temporary, and is tried again.
        """
        now = now_us()
        for place in self._places:
            if not place.number and place.fill_at_us <= now and self.nursery is not None:
                try:
                    worker = self.add(place.pool, place.slots)
                except OSError as error:
                    if not self._has_begun and not isinstance(error, BlockingIOError):
                        raise
                    place.put_off(now)
                else:
                    place.number = worker.number
                    yield worker
        self._has_begun = True

    def add(self, pool: str, slots: int) -> Handle:
        """Start one worker. It is replaced when it is gone only if it has a place.

        Raises: OSError out of descriptors or of disk, or if the nursery takes no orders.
        """
        self._last_number += 1
        worker, fds = new_handle(self._last_number, pool, slots, self._run_dir)
        is_ordered = self.order(orders.Spawn(worker.number, slots, self._cwd), [*fds, self._manifest_fd])
        for fd in fds[:3]:
            os.close(fd)
        if not is_ordered:
            worker.close_pipes()
            worker.log_reader.close()
            raise BlockingIOError(errno.EAGAIN, "the process that starts workers takes no orders")
        self.workers[worker.number] = worker
        self._instruments.emit(WorkerStarted(pool, worker.number))
        return worker

    def order(self, order: orders.Order, fds: Sequence[int] = ()) -> bool:
        """Tell the nursery. Safe from any thread. False: there is none, or it takes no orders."""
        return (nursery := self.nursery) is not None and nursery.order(order, fds)

    def leave_place(self, worker: Handle) -> _Place | None:
        """Another worker takes its place at once; returns that, if it had one."""
        place = next((place for place in self._places if place.number == worker.number), None)
        if place is not None:
            place.number, place.fill_at_us = 0, now_us()
        return place

    def signal(self, worker: Handle, signum: int) -> None:
        """Have the nursery send a signal; see `orders.Signal`."""
        self.order(orders.Signal(worker.number, signum))

    def next_start_us(self) -> int:
        """When the next worker, or the nursery, is to be started."""
        places = self._places if self.nursery is not None else [self._nursery_place]
        return min((place.fill_at_us for place in places if not place.number), default=NEVER_US)

    def remove(self, worker: Handle, report: orders.Exited) -> None:
        """It is dead; its place is filled again."""
        worker.close_pipes()
        worker.log_reader.is_dead = True
        del self.workers[worker.number]
        self._instruments.emit(WorkerExited(worker.pool, worker.number, report.status))
        if (place := self.leave_place(worker)) is not None:
            if not worker.seq and not worker.is_leaving and report.status != 0:
                place.put_off(now_us())
            else:
                place.failures = 0

    def lose_nursery(self, nursery: NurseryLink) -> list[Handle]:
        """It was killed, and its workers with it (the kernel sees to that); we make sure of their children.

        Returns: those workers.
        """
        self.nursery = None
        nursery.sweep([worker.pid for worker in self.workers.values() if worker.pid])
        log.error("the process that starts workers exited, and its workers with it")
        now = now_us()
        if now - self._nursery_place.fill_at_us > _LONG_LIFE_US:
            self._nursery_place.failures = 0
        self._nursery_place.put_off(now)
        return list(self.workers.values())

    def close(self) -> None:
        """End everything; returns when all processes are gone."""
        if self.nursery is not None:
            self.nursery.close()
            self.nursery = None
        for worker in self.workers.values():
            worker.close_pipes()
            worker.log_reader.is_dead = True
        self.workers.clear()
        with contextlib.suppress(OSError):
            os.close(self._manifest_fd)
