"""Job `shell`: run a program. Off until the configuration says `[plugins] enable = ["shell"]`.

Whoever may submit a row may then run any program as qflowd's user.
"""

import os
import subprocess
import tempfile
from threading import Thread
from typing import IO, Any

from qflowd import job

TAIL_BYTES = 8000  # of the output; all of it is in the task's log
STRAGGLERS_S = 1.0  # a program may end and leave others behind that hold its output open


class CommandFailed(Exception):
    """The program ended with another code than 0."""


@job(title="Run a program")
def shell(
    argv: list[str], cwd: str | None = None, env: dict[str, str] | None = None, input: str | None = None
) -> dict[str, Any]:
    """Run `argv` (a program and its arguments; no shell reads them) and wait for it.

    `env` is added to the worker's environment, `input` is what the program reads. Returns `returncode` and the end of
    `stdout`; a code other than 0 fails the task. The task's `timeout` kills the program and all that it has started.
    """
    if not argv:
        raise ValueError("shell: argv is empty; name a program")
    with tempfile.TemporaryFile() as stdin:
        stdin.write((input or "").encode())
        stdin.seek(0)
        # Without a session of its own it stays in the worker's process group, and dies with the task.
        program = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    out, err = _Copy(program.stdout, 1), _Copy(program.stderr, 2)
    code = program.wait()
    out.join(STRAGGLERS_S)
    err.join(STRAGGLERS_S)
    if code:
        how = f"signal {-code}" if code < 0 else f"code {code}"
        raise CommandFailed(f"{argv[0]} ended with {how}: {err.text() or out.text() or 'no output'}")
    return {"returncode": code, "stdout": out.text()}


class _Copy(Thread):
    """Passes output on to the task's log, and remembers the end of it."""

    def __init__(self, source: IO[bytes] | None, target: int) -> None:
        super().__init__(daemon=True)
        assert source is not None  # noqa: S101 - for the type checker; both are pipes
        self._source, self._target, self._tail = source, target, b""
        self.start()

    def run(self) -> None:
        with self._source:
            while data := os.read(self._source.fileno(), 1 << 16):
                os.write(self._target, data)
                self._tail = (self._tail + data)[-TAIL_BYTES:]

    def text(self) -> str:
        return self._tail.decode("utf-8", "replace")
