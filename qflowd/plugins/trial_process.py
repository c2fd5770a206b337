"""The throw-away process: `python -m qflowd.plugins.trial_process`, request on stdin, findings on stdout.

It imports nothing of the user's itself. It forks a child that does, watches its time and memory, and when the child
is ruined names the culprit and forks another for the rest.
"""

import contextlib
import faulthandler
import os
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from qflowd.jobs.manifest import EntryPoint, Manifest
from qflowd.model.signal_names import signal_name
from qflowd.plugins import findings, trial
from qflowd.plugins.findings import Finding, Findings, Request

TICK_S = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MACHINE = os.sysconf("SC_PHYS_PAGES") * _PAGE
_BEGIN, _END = b"\1", b"\2"
_is_stopped = False


@dataclass(slots=True)
class _Child:
    """One forked importer. `tail`: what it has sent of a message that is not complete."""

    pid: int
    pipe: int
    trace: int
    current: str = ""
    since: float = 0.0
    received: bytes = b""
    is_late: bool = False  # what it imports now was in a hurry


def main() -> None:
    """Answer one request."""
    answer_to = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    request = findings.decode_request(sys.stdin.buffer.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, _stop)
    with os.fdopen(answer_to, "wb") as answer:
        answer.write(findings.encode(examine(request)))


def _stop(_signal: int, _frame: object) -> None:
    global _is_stopped  # noqa: PLW0603 - a signal handler has no other way
    _is_stopped = True


def examine(request: Request) -> Findings:
    """Import everything, in as many children as it takes."""
    manifest = request.manifest
    if request.discover:
        manifest = msgspec.structs.replace(manifest, entry_points=_entry_points())
    entry_points = manifest.entry_points
    culprits: dict[str, Finding] = {}
    while True:
        child = _fork(manifest)
        try:
            found, fault = _follow(child, request)
        finally:
            _bury(child)
        if found is not None:
            return Findings({**found, **culprits}, entry_points)
        if not child.current or child.current in culprits:
            raise SystemExit(f"importing failed outside any file: {fault}")
        culprits[child.current] = Finding(error=fault, is_culprit=True, is_put_off=child.is_late)
        manifest = _without(manifest, child.current)


def _without(manifest: Manifest, culprit: str) -> Manifest:
    return msgspec.structs.replace(
        manifest,
        modules={name: module for name, module in manifest.modules.items() if name != culprit},
        entry_points=tuple(entry for entry in manifest.entry_points if findings.label(entry) != culprit),
    )


def _entry_points() -> tuple[EntryPoint, ...]:
    # importlib.metadata takes longer to import than all the rest; most machines have no plugin installed.
    if not any(map(_may_have_plugins, filter(None, sys.path))):
        return ()
    from importlib.metadata import entry_points

    return tuple(sorted({EntryPoint(entry.name, entry.value) for entry in entry_points(group=findings.GROUP)}))


def _may_have_plugins(folder: str) -> bool:
    """False if no distribution that is installed in the folder names our group of entry points."""
    try:
        with os.scandir(folder) as entries:
            infos = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    except FileNotFoundError:
        return False
    except OSError:  # an archive
        return True
    return any(_names_our_group(f"{info}/entry_points.txt") for info in infos)


def _names_our_group(file: str) -> bool:
    try:
        with open(file, "rb") as text:  # noqa: PTH123 - one for every distribution
            return findings.GROUP.encode() in text.read()
    except OSError:
        return False


def _fork(manifest: Manifest) -> _Child:
    reading, writing = os.pipe()
    trace = os.memfd_create("trace")
    pid = os.fork()
    if pid == 0:
        _import_and_exit(manifest, writing, trace)
    os.close(writing)
    with contextlib.suppress(PermissionError):
        os.setpgid(pid, pid)
    return _Child(pid, reading, trace, since=time.monotonic())


def _import_and_exit(manifest: Manifest, pipe: int, trace: int) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        os.dup2(1, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # if memory ends, this is what may go
        # SIGABRT, too: the parent sends it to learn where an endless import is.
        faulthandler.enable(file=trace, all_threads=False)
        found = trial.import_all(manifest, lambda name: _send(pipe, _BEGIN + name.encode() + b"\n"))
        data = msgspec.msgpack.encode(found)
        _send(pipe, _END + len(data).to_bytes(8) + data)
        code = 0
    finally:
        os._exit(code)  # no atexit, no waiting for threads that user code started


def _send(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def _follow(child: _Child, request: Request) -> tuple[dict[str, Finding] | None, str]:
    """Until the child has answered, or what became of it."""
    parent = os.getppid()
    memory = min(request.memory_bytes, _MACHINE // 2)
    while True:
        if select.select([child.pipe], [], [], TICK_S)[0]:
            data = os.read(child.pipe, 1 << 16)
            if not data:
                return None, _how_it_ended(child)
            if (answer := _receive(child, data)) is not None:
                return msgspec.msgpack.decode(answer, type=dict[str, Finding]), ""
            continue
        if _is_stopped or os.getppid() != parent:
            raise SystemExit("nobody waits for the answer any more")
        took_s = time.monotonic() - child.since
        if took_s > findings.HURRY_S and child.current in request.hurried:
            child.is_late = True
            return None, f"importing it takes long; it is tried for {request.timeout_s:g} s, the others do not wait"
        if took_s > request.timeout_s:
            return None, f"{_where_it_hangs(child)}importing it took more than {request.timeout_s:g} s"
        if _rss(child.pid) > memory:
            return (
                None,
                f"{_where_it_hangs(child)}importing it took more than {memory >> 20} MB of memory",
            )


def _receive(child: _Child, data: bytes) -> bytes | None:
    """Take in what came; returns the answer when it is complete."""
    child.received += data
    while child.received.startswith(_BEGIN):
        line, newline, rest = child.received.partition(b"\n")
        if not newline:
            return None
        child.current, child.since, child.received = line[1:].decode(), time.monotonic(), rest
    # A length, not end of file: what user code has started may still hold the pipe.
    length = int.from_bytes(child.received[1:9]) if len(child.received) > 9 else None
    if length is None or len(child.received) < 9 + length:
        return None
    return child.received[9:]


def _how_it_ended(child: _Child) -> str:
    end = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if end is not None and end.si_code != os.CLD_EXITED:
        return f"{_line_in_trace(child)}importing it crashed the process ({signal_name(end.si_status)})"
    return f"importing it ended the process (exit code {end.si_status if end else 0})"


def _where_it_hangs(child: _Child) -> str:
    os.kill(child.pid, signal.SIGABRT)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.005)
    return _line_in_trace(child)


def _line_in_trace(child: _Child) -> str:
    """From faulthandler's `File "…", line 3 in <module>`; the innermost comes first."""
    text = os.pread(child.trace, 1 << 16, 0).decode("utf-8", "replace")
    for line in text.splitlines():
        _, found, place = line.partition(", line ")
        if found and place.endswith(" in <module>"):
            return f"line {place.split()[0]}: "
    return ""


def _bury(child: _Child) -> None:
    """Kill the child and whatever else is in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.pid, 0)
    os.close(child.pipe)
    os.close(child.trace)


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
