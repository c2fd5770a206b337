"""Trying a manifest in throw-away processes: start one, look in on it, never wait for it unless asked."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

import qflowd
from qflowd.jobs.manifest import Manifest
from qflowd.model.errors import QflowdError
from qflowd.model.signal_names import signal_name
from qflowd.plugins.messages import Findings, Importing, Message, TrialRequest

IMPORT_TIMEOUT_S = 10.0  # per file
START_TIMEOUT_S = 60.0  # until the process is at the first file
MEMORY_BYTES = 2 << 30
_TRACE_S = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MACHINE = os.sysconf("SC_PHYS_PAGES") * _PAGE


class TrialFailed(QflowdError):
    """No process could try the files; they are neither good nor bad."""


class Trial:
    """Imports a manifest; a file that takes the process down, or does not end, is named, and the rest is tried without it.

    Args:
        ruinous: see `TrialRequest`; what takes a process down is added to it.
        env, cwd: of the process.
        timeout_s, memory_bytes: for each file.
    """

    def __init__(
        self,
        manifest: Manifest,
        ruinous: dict[str, str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float = IMPORT_TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._request = TrialRequest(manifest, ruinous, os.getpid())
        self._env, self._cwd = env, cwd
        self._timeout_s = timeout_s
        self._memory_bytes = min(memory_bytes, _MACHINE // 2)
        self._start()

    def _start(self) -> None:
        self._received = b""
        self._code, self._since = "", time.monotonic()  # what is imported, and since when
        search_path = os.pathsep.join([*filter(None, sys.path), str(Path(qflowd.__file__).resolve().parents[1])])
        self._trace = -1
        try:
            self._trace = os.memfd_create("trace")
            with os.fdopen(os.memfd_create("request"), "wb") as request:
                request.write(msgspec.msgpack.encode(self._request))
                request.seek(0)
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "qflowd.plugins.trial_process"],
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=self._trace,
                    cwd=self._cwd,
                    env={**self._env, "PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"},
                    start_new_session=True,
                )
        except OSError as error:
            with contextlib.suppress(OSError):
                os.close(self._trace)
            raise TrialFailed(f"no process can be started to try the plugins: {error.strerror}") from None
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)

    def wait_s(self, timeout_s: float) -> None:
        """Wait until `poll()` has something to do, at most so long."""
        poller = select.poll()  # select() knows no descriptors above 1023
        poller.register(self._pipe, select.POLLIN)
        poller.poll(timeout_s * 1e3)

    def poll(self) -> Findings | None:
        """The answer if it is there. Never blocks for long.

        Raises: TrialFailed if a process fails outside any file.
        """
        end = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, 1 << 18):
                self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            match msgspec.json.decode(line, type=Message):
                case Findings() as findings:
                    self.stop()
                    return findings
                case Importing(code):
                    self._code, self._since = code, time.monotonic()
        fault = _how_it_ended(end) if end is not None else self._limit_reached()
        if fault:
            if end is None:
                self._make_it_say_where()
            self._blame(f"{self._line()}{fault}")
        return None

    def stop(self) -> None:
        """End the process, and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.stdout.close()
            os.close(self._trace)

    def _limit_reached(self) -> str:
        """Which one, or nothing."""
        limit_s = self._timeout_s if self._code else START_TIMEOUT_S
        if time.monotonic() - self._since > limit_s:
            return f"importing it took more than {limit_s:g} s"
        if _resident(self._process.pid) > self._memory_bytes:
            return f"importing it took more than {self._memory_bytes >> 20} MB of memory"
        return ""

    def _blame(self, fault: str) -> None:
        """What was being imported is not tried again; the rest is, in another process."""
        self.stop()
        if not self._code or self._code in self._request.ruinous:
            raise TrialFailed(f"trying the plugins failed outside any file: {fault}")
        self._request.ruinous[self._code] = fault
        self._start()

    def _make_it_say_where(self) -> None:
        os.kill(self._process.pid, signal.SIGABRT)
        until = time.monotonic() + _TRACE_S
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while time.monotonic() < until and os.waitid(os.P_PID, self._process.pid, ended) is None:
            time.sleep(0.005)

    def _line(self) -> str:
        """From faulthandler's `File "…", line 3 in <module>`; the innermost comes first."""
        for line in os.pread(self._trace, 1 << 16, 0).decode("utf-8", "replace").splitlines():
            _, separator, place = line.partition(", line ")
            if separator and place.endswith(" in <module>"):
                return f"line {place.split()[0]}: "
        return ""


def _how_it_ended(end: os.waitid_result) -> str:
    if end.si_code != os.CLD_EXITED:
        return f"importing it crashed the process ({signal_name(end.si_status)})"
    return f"importing it ended the process (exit code {end.si_status})"


def _resident(pid: int) -> int:
    """Bytes; 0 if the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
