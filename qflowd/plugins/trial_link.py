"""The daemon's side of the throw-away process: start it, look in on it, never wait for it unless asked."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

import qflowd
from qflowd.model.errors import QflowdError
from qflowd.plugins import findings
from qflowd.plugins.findings import Findings, Request

STOP_S = 2.0
_PATIENCE_S = 60.0  # beyond what the process allows itself


class TrialFailed(QflowdError):
    """The throw-away process itself did not answer; the files are neither good nor bad."""


class Trial:
    """One request on its way. Ended by `poll()` with an answer, by `wait()`, or by `stop()`."""

    def __init__(self, request: Request, *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        units = len(request.manifest.modules) + len(request.manifest.entry_points)
        self._deadline = time.monotonic() + _PATIENCE_S + request.timeout_s * (units + 1)
        self._received = bytearray()
        package_at = str(Path(qflowd.__file__).resolve().parents[1])
        search_path = os.pathsep.join([*filter(None, sys.path), package_at])
        with os.fdopen(os.memfd_create("question"), "wb") as question:
            question.write(findings.encode(request))
            question.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "qflowd.plugins.trial_process"],
                stdin=question,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=cwd,
                env={**env, "PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)

    def wait_s(self, timeout_s: float) -> None:
        """Wait until `poll()` has something to do, at most so long."""
        poller = select.poll()  # select() knows no descriptors above 1023
        poller.register(self._pipe, select.POLLIN)
        poller.poll(timeout_s * 1e3)

    def poll(self) -> Findings | None:
        """The answer if it is there. Never blocks.

        Raises: TrialFailed if the process has died or is far too late.
        """
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, 1 << 18):
                self._received += data
            return self._answer()
        if time.monotonic() > self._deadline:
            self.stop()
            raise TrialFailed("trying the plugins took too long")
        return None

    def wait(self) -> Findings:
        """The answer, waited for.

        Raises: TrialFailed.
        """
        while (answer := self.poll()) is None:
            self.wait_s(1.0)
        return answer

    def stop(self) -> None:
        """End the process, and what it has started; takes some 20 ms."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._close()

    def _answer(self) -> Findings:
        code = self._close()
        try:
            return findings.decode_findings(bytes(self._received))
        except msgspec.MsgspecError:
            raise TrialFailed(f"the process that tries the plugins ended without an answer ({code})") from None

    def _close(self) -> int:
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.wait()
