"""The daemon's end of the nursery: starts it, sends it orders, receives its reports, ends it."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from qflowd.workers import linux, orders

_COOKIE = "QFLOWD_CREW"
_PATIENCE_S = 3.0  # until a nursery that was asked to end is killed
_ROOT = str(Path(__file__).resolve().parents[2])
# Not `python -m`: that would put the current folder, where users keep files, at the front of sys.path.
_START = (
    "import sys; sys.path += [p for p in sys.argv[2:] if p not in sys.path]; "
    "from qflowd.workers.nursery import main; main(int(sys.argv[1]))"
)


class NurseryLink:
    """A running nursery. It inherits `lock_fd`, gets `env` and nothing else of the daemon's environment."""

    def __init__(self, env: Mapping[str, str], lock_fd: int | None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._cookie = secrets.token_hex(8)
        kept = [theirs.fileno()] if lock_fd is None else [theirs.fileno(), lock_fd]
        lock = {} if lock_fd is None else {"QFLOWD_LOCK_FD": str(lock_fd)}
        # Also what the daemon found in the user's site folder or by PYTHONPATH: qflowd itself may be installed there.
        search_path = [*filter(None, sys.path), _ROOT]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-c", _START, str(theirs.fileno()), *search_path],
            env={**env, _COOKIE: self._cookie, **lock},
            pass_fds=kept,
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self.pid = self._process.pid

    def fileno(self) -> int:
        return self._socket.fileno()

    def order(self, order: orders.Order, fds: Sequence[int] = ()) -> bool:
        """Send `order`; safe from any thread. False: the nursery is gone."""
        data = orders.encode(order)
        for _ in range(1000):
            try:
                socket.send_fds(self._socket, [data], fds)
            except BlockingIOError:
                time.sleep(0.001)  # dozens of orders wait there; it forks as fast as it can
            except OSError:
                return False
            else:
                return True
        return False

    def reports(self) -> tuple[list[orders.Report], bool]:
        """What has been reported, and whether the nursery lives."""
        reports: list[orders.Report] = []
        while True:
            try:
                data = self._socket.recv(orders.LARGEST)
            except BlockingIOError:
                return reports, True
            except OSError:
                return reports, False
            if not data:
                return reports, False
            reports.append(orders.decode_report(data))

    def close(self) -> None:
        """Hang up: the nursery ends everything, then itself."""
        self._socket.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.sweep(())

    def sweep(self, pids: Sequence[int]) -> None:
        """The nursery is dead or hangs: end it, and what it would have ended (`pids`: its workers)."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(1.0)
        for pid in pids:
            linux.kill_group(pid)
        # Children of workers that left the group are known by their environment alone now.
        for _ in range(20):
            left = [pid for pid in linux.having_in_environment(f"{_COOKIE}={self._cookie}") if pid != os.getpid()]
            if not left:
                return
            for pid in left:
                linux.kill(pid)
            time.sleep(0.005)
