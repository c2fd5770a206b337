"""The HTTP server beside the daemon: a child of its own, started again when it ends, gone when the daemon is."""

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar, Final

from qflowd.model.signal_names import signal_name

log = logging.getLogger("qflowd")
LOOK_S: Final = 0.5
SHORTEST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0  # who has run for so long is started again at once
END_S: Final = 5.0


class ApiProcess:
    """A service of the daemon: keeps `qflowd api` running.

    Its stdin is a pipe that only the daemon holds: at its end the child stops, however the daemon has ended.
    """

    name: ClassVar[str] = "api"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config_file: Path | None) -> None:
        """`config_file`: of the daemon; None: there is none, and the child too finds only its environment."""
        named = [] if config_file is None else ["--config", str(config_file)]
        self._command = [sys.executable, "-m", "qflowd", *named, "api", "--until-stdin-ends"]
        self._process: subprocess.Popen[bytes] | None = None
        self._began = self._next = 0.0
        self._pause_s = SHORTEST_PAUSE_S
        self._is_closed = False
        self._turn = threading.Lock()  # it is closed by another thread than the one that looks

    def tick(self) -> float:
        """Start it if it does not run, unless it has only just failed; returns seconds until the next look."""
        with self._turn:
            if not self._is_closed:
                self._look()
        return LOOK_S

    def _look(self) -> None:
        now = time.monotonic()
        if self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            is_steady = now - self._began >= STEADY_S
            self._pause_s = SHORTEST_PAUSE_S if is_steady else min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._next = now + self._pause_s
            log.warning("the HTTP server ended (%s); it is started again in %.0f s", _outcome(code), self._pause_s)
        if self._process is None and now >= self._next:
            self._began = now
            # Its stdout is for a person who looks: the link that makes the first administrator.
            out = None if os.isatty(1) else subprocess.DEVNULL
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=out, env=os.environ)

    def close(self) -> None:
        """End it; what it does not end in time is killed."""
        with self._turn:
            self._is_closed = True
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _outcome(code: int) -> str:
    return f"killed by {signal_name(-code)}" if code < 0 else f"exit code {code}"
