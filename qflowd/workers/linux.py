"""What Linux can do for us and Python's `os` does not offer."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
_LISTS_CHILDREN = Path("/proc/thread-self/children").exists()  # a kernel may be built without


def die_with_parent() -> None:
    """SIGKILL to this process when its parent exits. The parent must be single-threaded (the thread counts)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become_subreaper() -> None:
    """Descendants whose parent has exited become children of this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl({option})")


def _check(result: int, call: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result


def boottime_timer() -> int:
    """A descriptor that is readable once an instant of `set_timer` has come, however long the machine has slept."""
    fd = _libc.timerfd_create(time.CLOCK_BOOTTIME, os.O_NONBLOCK | os.O_CLOEXEC)  # os has it from Python 3.13 on
    return _check(fd, "timerfd_create")


def set_timer(fd: int, at_us: int) -> None:
    """Have `fd` readable when CLOCK_BOOTTIME reaches `at_us`, and not before."""
    _libc.timerfd_settime(fd, 1, (ctypes.c_long * 4)(0, 0, at_us // 1_000_000, at_us % 1_000_000 * 1000), None)


def punch(fd: int, end: int) -> None:
    """Free the disk space of the file up to `end`, where the file system can; its length stays."""
    _libc.fallocate(fd, _FALLOC_KEEP_SIZE_AND_PUNCH, 0, end)


def nameless_file(folder: str, name: str) -> int:
    """A new file in `folder`, opened for appending and reading, whose name is removed at once."""
    path = Path(folder, f".qflowd-{name}-{os.getpid()}-{time.monotonic_ns()}")
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
    path.unlink()
    return fd


def name_process(name: str) -> None:
    """What `ps` and `top` show; at most 15 characters."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def hide_from_peers() -> None:
    """Nobody of the same user may read this process's environment, memory and open files (root may)."""
    _prctl(_PR_SET_DUMPABLE, 0)


def keep_only(fds: Iterable[int]) -> None:
    """Close every file descriptor from 3 on that is not named."""
    start = 3
    for fd in sorted(set(fds)):
        os.closerange(start, fd)
        start = max(start, fd + 1)
    os.closerange(start, 1 << 20)


def kill_group(pgid: int, signum: int = signal.SIGKILL) -> None:
    """Signal a process group; nothing happens if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)


def kill(pid: int, signum: int = signal.SIGKILL) -> None:
    """Signal a process; nothing happens if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def processes() -> list[int]:
    """All processes that we can see."""
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat from the third on (state, ppid, pgrp, session, …); empty if it is gone."""
    try:
        with Path(f"/proc/{pid}/stat").open("rb", buffering=0) as file:
            return file.read(2048).rpartition(b") ")[2].split()
    except OSError:
        return []


def children(pid: int) -> list[int]:
    """Living direct children of `pid`, and zombies."""
    if not _LISTS_CHILDREN:
        mine = b"%d" % pid
        return [child for child in processes() if (fields := _stat(child)) and fields[1] == mine]
    pids: list[int] = []
    with contextlib.suppress(OSError):  # it is gone
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # the thread is
                pids += map(int, (thread / "children").read_bytes().split())
    return pids


def families(roots: Iterable[int]) -> dict[int, list[int]]:
    """For each of `roots`: itself and all its descendants, in one walk over /proc."""
    offspring: dict[int, list[int]] = {}
    for pid in processes():
        if fields := _stat(pid):
            offspring.setdefault(int(fields[1]), []).append(pid)
    families = {}
    for root in roots:
        members = [root]
        for member in members:  # grows while it is walked
            members.extend(offspring.get(member, ()))
        families[root] = members
    return families


def memory(pid: int) -> int:
    """Bytes that it has to itself, in memory and in swap, without pages of files; 0 if it is gone."""
    return _sum_kb(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:"))


def memory_of(pids: Sequence[int]) -> int:
    """The same of several processes together; what they share is counted once."""
    if len(pids) == 1:
        return memory(pids[0])
    fields = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")
    return sum(_sum_kb(f"/proc/{pid}/smaps_rollup", fields) or memory(pid) for pid in pids)


def _sum_kb(path: str, fields: tuple[bytes, ...]) -> int:
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError:  # it is gone, or belongs to another user now
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields)) * 1024


def having_in_environment(variable: str) -> list[int]:
    """Processes whose first environment held `variable` (`NAME=value`)."""
    pids = []
    for pid in processes():
        with contextlib.suppress(OSError), Path(f"/proc/{pid}/environ").open("rb", buffering=0) as file:
            if variable.encode() in file.read(1 << 17).split(b"\0"):
                pids.append(pid)
    return pids
