"""A real daemon for tests: `qflowd run` as a process of its own, in a folder of its own, on any database.

with Daemon(url, tmp_path, plugins={"jobs.py": "…"}, workflows={"bars.yaml": "…"}) as daemon:   # ready here
    ...
    daemon.write("plugins/jobs.py", "…")      # atomically, as editors do
    daemon.kill(); daemon.start()             # also freeze() and thaw(), stop(), wait(), log()
assert until(lambda: rows(), 10)              # poll with a deadline, never sleep
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from tests.support.forked import PYTHON, Forked, Starter

ROOT = Path(__file__).parents[2]
READY_S = 90.0
STOP_S = 30.0
BUSY = 3  # limits are given for a machine at rest; a busy one gets so many times as long
LOOK_S = 0.1  # at most so long between two looks at what takes seconds
T = TypeVar("T")
_numbers = count(1)


def until(condition: Callable[[], T], timeout_s: float = 20.0, *, what: str = "", every_s: float = 0.02) -> T:
    """Call `condition` until it returns something true; that is the result. AssertionError at the limit, for a busy machine.

    It is looked at every `every_s`, and less often the longer it takes: looks cost the time of what is waited for.
    """
    timeout_s *= BUSY
    began = time.monotonic()
    while True:
        if found := condition():
            return found
        waited_s = time.monotonic() - began
        if waited_s > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what or 'the condition'}; it returned {found!r} at last")
        time.sleep(max(every_s, min(waited_s / 10, LOOK_S)))


class Daemon:
    """One daemon. Several on one store: give each a folder and a `name` of its own.

    Args:
        url: the store's; it is migrated by the daemon.
        folder: where qflowd.toml, plugins/ and workflows/ are written; it may exist.
        plugins, workflows: file name -> text.
        config: more of qflowd.toml, e.g. "[pools.io]\\nprocesses = 1"; `[daemon]` is made of `daemon`.
        daemon: keys of `[daemon]`, e.g. {"lease": "3s", "name": "a"}.
        env: added to the environment, e.g. {"QFLOWD_FAULT": "finish:before_commit:1:kill"}.
        is_forked: by a process that has read the modules, where the environment allows it; else by the command line.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        plugins: Mapping[str, str] | None = None,
        workflows: Mapping[str, str] | None = None,
        config: str = "",
        daemon: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        is_forked: bool = True,
    ) -> None:
        self.url = url
        self.is_forked = is_forked
        self.folder = folder
        self.env = dict(env or {})
        self.process: subprocess.Popen[bytes] | Forked | None = None
        for name in ("plugins", "workflows", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, files in (("plugins", plugins or {}), ("workflows", workflows or {})):
            for file, text in files.items():
                self.write(f"{name}/{file}", text)
        keys = {"run_dir": "run", "grace": "1s"} | dict(daemon or {})
        lines = [f'{key} = "{value}"' for key, value in keys.items()]
        self.write("qflowd.toml", "\n".join(["[daemon]", *lines, config, ""]))

    # -------------------------------------------------------------- its life

    def start(self, *arguments: str, ready: bool = True) -> Self:
        """Start `qflowd run` with `arguments`, and wait until it says that it is ready."""
        assert self.process is None or self.process.poll() is not None, "the daemon still runs"
        address = f"@qflowd-test-{os.getpid()}-{next(_numbers)}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
        environment |= {"QFLOWD_CONFIG": str(self.folder / "qflowd.toml"), "QFLOWD_DATABASE_URL": self.url}
        environment |= {"NOTIFY_SOCKET": address} | PYTHON | self.env
        is_faulty = any(key.startswith("QFLOWD_FAULT") for key in environment)
        program = "tests.support.faulty" if is_faulty else "qflowd"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, self.log_file.open("ab") as log:
            channel.bind("\0" + address[1:])
            self.process = self._started(program, ["run", *arguments], environment, log)
            if ready:
                self._wait_until_ready(channel)
        return self

    def _started(
        self, program: str, arguments: list[str], environment: dict[str, str], log: IO[bytes]
    ) -> subprocess.Popen[bytes] | Forked:
        if self.is_forked and (starter := Starter.shared()).can_start(environment):
            return starter.start(program, arguments, env=environment, cwd=self.folder, output=log)
        return subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
            start_new_session=True,
        )

    def _wait_until_ready(self, channel: socket.socket) -> None:
        channel.settimeout(0.1)
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.is_running:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in channel.recv(4096):
                    return
        raise AssertionError(f"the daemon is not ready:\n{self.log()}")

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, timeout_s: float = STOP_S) -> int:
        """SIGTERM, and wait for the end. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = STOP_S) -> int:
        """Wait for the end (`--until-idle`). Returns the exit code."""
        assert self.process is not None
        try:
            return self.process.wait(timeout_s * BUSY)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT)  # with PYTHONFAULTHANDLER it says where each thread is
            self.process.wait(10)
            raise AssertionError(f"the daemon does not end:\n{self.log()}") from None

    def kill(self) -> None:
        """SIGKILL to the daemon alone; what it started must end by itself."""
        self.signal(signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End it, by force if it must be. Two signals at once may arrive as one, so it is asked until it ends."""
        if not self.is_running:
            return
        self.thaw()
        assert self.process is not None
        for _ in range(100):
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
                return
        self.process.kill()
        self.process.wait(10)

    # -------------------------------------------------------------- its folder

    def write(self, name: str, text: str) -> Path:
        """Write a file as careful editors do: beside it, then renamed."""
        path = self.folder / name
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(text, "utf-8")
        draft.chmod(0o600)
        return draft.replace(path)

    @property
    def log_file(self) -> Path:
        return self.folder / "daemon.log"

    def log(self) -> str:
        """What it has written so far, all its lives together."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
