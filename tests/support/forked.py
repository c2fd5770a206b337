"""Daemons of a process that has read their modules already: most of what a start costs is to read them.

    process = Starter.shared().start("qflowd", ["run"], env=…, cwd=…, output=log)     # poll, wait, send_signal: as Popen

Fault tests start daemons by the hundred. What is started is what `python -m qflowd run` starts, in a session of its own, with
this environment and folder; only its parent is the starter, which ends with whoever has made it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
PER_DAEMON = (
    "QFLOWD_",
    "NOTIFY_SOCKET",
    "PYTEST_CURRENT_TEST",
)  # what a daemon may be told differently from its starter
MODULES = (
    "qflowd.cli.run",
    "qflowd.daemon.daemon",
    "qflowd.daemon.main",
    "qflowd.daemon.notify",
    "qflowd.define.text_reader",
    "qflowd.define.yaml_reader",
    "qflowd.store.dialects.mysql",
    "qflowd.store.dialects.postgres",
    "qflowd.store.dialects.sqlite",
    "tomli",
    "apsw",
    "encodings.idna",
    "jsonschema_rs",
    "psycopg",
    "pymysql",
)


PYTHON = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}  # of every daemon


def _common(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith(PER_DAEMON)}


class Forked:
    """One such process, known by a descriptor that no other process can take over; with the methods of a Popen."""

    def __init__(self, pid: int, ending: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = ending

    def poll(self) -> int | None:
        """The exit code, below 0 that of a signal; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises: subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("qflowd", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)  # its starter waits for it, so the number is nobody else's before `poll` knows

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ending], [], [], timeout)[0]:
            self.returncode = int(self._ending.recv(16) or b"-9")  # nothing: the starter is gone
            self._ending.close()
        return self.returncode


class Starter:
    """The process that starts others. It ends when this end of its socket does."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = _common(os.environ | PYTHON)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", str(theirs.fileno())],
            env=self._environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=ROOT,
        )
        theirs.close()

    @classmethod
    def shared(cls) -> Starter:
        """The one of this process, whichever thread asks first."""
        with _sharing:
            return _the_starter()

    def can_start(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment reads the same modules in the same way."""
        return _common(environment) == self._environment

    def start(
        self, program: str, arguments: list[str], *, env: Mapping[str, str], cwd: Path, output: IO[bytes]
    ) -> Forked:
        """Start `python -m PROGRAM ARGUMENTS`; stdout and stderr go to `output`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            told = json.dumps({"program": program, "arguments": arguments, "env": dict(env), "cwd": str(cwd)})
            socket.send_fds(self._socket, [told.encode()], [output.fileno(), theirs.fileno()])
        return Forked(int(ours.recv(16)), ours)


_sharing = threading.Lock()
_the_starter = functools.cache(Starter)


def _serve(channel: socket.socket) -> dict[str, Any]:
    """Start what is asked for until nobody can ask. Returns in the processes that were started: what they are."""
    running: dict[int, socket.socket] = {}
    ended, handler = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(handler, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([channel, ended], [], [])[0]
        if ended in ready:
            os.read(ended, 4096)
            _reap(running)
        if channel not in ready:
            continue
        told, files, _, _ = socket.recv_fds(channel, 1 << 20, 2)
        if not told:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(files[0], 1)
            os.dup2(files[0], 2)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            for each in (channel, *running.values()):
                each.detach()
            return dict(json.loads(told))
        os.close(files[0])
        running[pid] = socket.socket(fileno=files[1])
        running[pid].send(str(pid).encode())


def _reap(running: dict[int, socket.socket]) -> None:
    """Say what has ended, and only then give its number back: whoever still takes it for running may send it a signal."""
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            with running.pop(found.si_pid) as asker, contextlib.suppress(OSError):  # who asked may be gone
                asker.send(str(code).encode())
            os.waitpid(found.si_pid, 0)


def _read_statements() -> None:
    """Read and render the statements and migrations for each database."""
    from qflowd.store.catalog import Catalog
    from qflowd.store.dialects import dialect_for
    from qflowd.store.dialects.mysql_renderer import MARIADB_COLLATION
    from qflowd.store.migrate import steps

    for url in ("sqlite:///x", "postgresql://x/x", "mysql://x/x"):
        dialect = dialect_for(url)
        if url.startswith("mysql"):
            dialect.renderer.collation = MARIADB_COLLATION
        catalog = Catalog.shared(dialect.renderer)
        for name in catalog.names:
            catalog[name]
        steps(dialect)


def main(number: int) -> None:
    """Be the starter, and then whatever was started."""
    for module in MODULES:
        __import__(module)
    _read_statements()
    gc.collect()
    gc.freeze()  # pages of what is here stay shared
    told = _serve(socket.socket(fileno=number))
    os.setsid()
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    faulthandler.enable()
    sys.path[0] = told["cwd"]
    sys.argv[:] = [told["program"], *told["arguments"]]
    sys.orig_argv[:] = [sys.executable, "-m", *sys.argv]  # with these it starts itself again
    runpy.run_module(told["program"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
