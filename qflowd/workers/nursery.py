"""The nursery: a small single-threaded process that forks workers, reaps them, and ends with the daemon.

The daemon has threads and database connections and must not fork; this process has neither. It imports what every
worker needs and nothing of the user's, so a worker costs one fork. End of file from the daemon means that the daemon
has exited: then everything here is killed at once.
"""

import contextlib
import gc
import os
import resource
import select
import signal
import socket
import sys
import time

from qflowd.workers import linux, orders, worker
from qflowd.workers.wire import now_us

_SHUTDOWN_S = 1.5


class Nursery:
    """Obeys the daemon at the other end of `control`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: dict[int, int] = {}  # pid -> number
        self._deadline_us = 0
        self._fenced: set[int] = set()
        self._has_strays = False
        # Not a timeout of `poll`, whose clock stands still while the machine sleeps.
        self._timer = linux.boottime_timer()
        self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Until the daemon is gone; then nothing that was started here lives any more."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        for fd in (self._bell[0], self._timer):
            poll.register(fd, select.POLLIN)
        is_wanted = True
        while is_wanted:
            ready = dict(poll.poll())
            for fd in ready.keys() & {self._bell[0], self._timer}:
                self._reset(fd)
            if self._control.fileno() in ready:
                is_wanted = self._obey()
            self._reap()
            self._keep_deadline()
        self._end_all()

    def _reset(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 4096)

    def _obey(self) -> bool:
        """One order. False: the daemon is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self._control, orders.LARGEST, len(orders.FDS))
        except OSError:
            return False
        if not data:
            return False
        match orders.decode_order(data):
            case orders.Spawn() as order:
                self._spawn(order, fds)
            case orders.Signal(number, signum):
                for pid in [pid for pid, its in self._workers.items() if its == number]:
                    self._signal(pid, signum)
            case orders.Deadline(at_us):
                self._deadline_us = at_us
                linux.set_timer(self._timer, at_us)
        return True

    def _spawn(self, order: orders.Spawn, fds: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError:
            self._report(orders.Exited(order.number, -1))
            pid = -1
        if pid == 0:
            signal.set_wakeup_fd(-1)
            worker.main(order, dict(zip(orders.FDS, fds, strict=True)))
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._workers[pid] = order.number
            self._report(orders.Spawned(order.number, pid))

    def _signal(self, pid: int, signum: int) -> None:
        if signum == signal.SIGKILL:
            linux.kill_group(pid)
        linux.kill(pid, signum)

    def _report(self, report: orders.Report) -> None:
        with contextlib.suppress(OSError):  # the daemon is gone: the next read says so
            self._control.send(orders.encode(report))

    def _reap(self) -> None:
        """Reap workers that have exited, and kill what they have left behind."""
        while dead := self._collect():  # again: children of strays come to us, and the killed ones wait to be collected
            self._kill_strays()
            for report in dead:
                self._report(report)
        if self._has_strays:
            self._kill_strays()

    def _collect(self) -> list[orders.Exited]:
        dead: list[orders.Exited] = []
        while True:
            try:
                # Look first: while it is a zombie its number cannot belong to a new group.
                exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self._has_strays = False
                return dead
            if exited is None:
                return dead
            number = self._workers.pop(exited.si_pid, None)
            if number is not None:
                linux.kill_group(exited.si_pid)
            _, status, usage = os.wait4(exited.si_pid, 0)
            if number is not None:
                cpu_s = round(usage.ru_utime + usage.ru_stime, 6)
                dead.append(orders.Exited(number, status, usage.ru_maxrss * 1024, cpu_s, number in self._fenced))
                self._fenced.discard(number)

    def _kill_strays(self) -> None:
        """Kill children that are not workers: workers that have exited left them behind."""
        strays = [pid for pid in linux.children(os.getpid()) if pid not in self._workers]
        for pid in strays:
            linux.kill(pid)
        self._has_strays = bool(strays)

    def _keep_deadline(self) -> None:
        if self._deadline_us and self._workers and now_us() >= self._deadline_us:
            self._fenced.update(self._workers.values())
            for pid in self._workers:
                self._signal(pid, signal.SIGKILL)
            self._deadline_us = 0

    def _end_all(self) -> None:
        """Kill until no child is left; gives up on what the kernel does not end."""
        until = time.monotonic() + _SHUTDOWN_S
        while time.monotonic() < until:
            for pid in self._workers:
                self._signal(pid, signal.SIGKILL)
            self._kill_strays()
            self._collect()
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            time.sleep(0.005)


def main(control_fd: int) -> None:
    """Entry of the process. `control_fd`: our end of the socket pair."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the daemon decides when we end
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the daemon may wait for its signals in a thread
    linux.name_process("qflowd-nursery")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    linux.become_subreaper()
    os.set_inheritable(control_fd, False)
    gc.collect()
    gc.freeze()  # pages of objects made so far stay shared with every worker
    gc.disable()
    Nursery(socket.socket(fileno=control_fd)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
