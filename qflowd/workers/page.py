"""The page of memory that daemon and worker share: which task is running, and what is asked of the worker.

It outlives the worker, so it says which task a dead worker was running, and keeps results that were not sent yet; and
both sides can look at it without a system call. All words are signed 64-bit; each has one writer.
"""

import contextlib
import fcntl
import mmap
import os
from typing import NamedTuple

_F_SEAL_FUTURE_WRITE = 0x10
_REVOKED = 0  # daemon: parcels up to this number are not to be started
_UNTIL = 1  # daemon: when the right to begin tasks ends, microseconds of CLOCK_BOOTTIME
_STAGED = 2  # worker: bytes of messages that it has not sent yet, at the end of the page
_SENT = 3  # worker: how often it has begun anew there
_HEADER = 8
_SLOT = 7  # words per slot: started_us, fence, task_id, attempt, stop, memory, cpu
NOT_COUNTED = (1 << 63) - 1  # as memory: no task is held responsible now
EVERYTHING = (1 << 63) - 1
_STAGE = 16 << 10  # bytes for messages


class Mark(NamedTuple):
    """A task whose user code has begun in `slot`."""

    slot: int
    task_id: int
    fence: int
    started_us: int
    attempt: int


class Page:
    """One worker's page, mapped; made by the daemon, opened again by the worker."""

    def __init__(self, fd: int, slots: int) -> None:
        self.slots = slots
        self._stage = _size(slots) - _STAGE
        self._map = mmap.mmap(fd, _size(slots), mmap.MAP_SHARED)
        self.words = memoryview(self._map).cast("q")

    def close(self) -> None:
        self.words.release()
        self._map.close()

    # -- the worker's side

    def base(self, slot: int) -> int:
        """Index of the first word of `slot`: started_us; then fence, task_id, attempt, stop, memory and CPU at the start."""
        return _HEADER + slot * _SLOT

    def seal(self, fd: int) -> None:
        """Both sides have mapped it: forbid writes through a descriptor, since `mmap` keeps one open."""
        with contextlib.suppress(OSError):  # Linux before 5.1
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _F_SEAL_FUTURE_WRITE)

    def may_begin(self, seq: int, now_us: int) -> bool:
        """Whether a task of parcel `seq` may begin now: after a suspension others may have run it meanwhile."""
        return self.words[_REVOKED] < seq and now_us < self.words[_UNTIL]

    def is_stop_asked(self, slot: int) -> bool:
        """Whether the task that is marked in `slot` is the one that shall stop."""
        base = self.base(slot)
        return bool(self.words[base + 2]) and self.words[base + 4] == self.words[base]

    def stage(self, data: bytes) -> bool:
        """Store messages that are sent later. False: there is no room."""
        staged = self.words[_STAGED]
        if (end := staged + len(data)) > _STAGE:
            return False
        self._map[self._stage + staged : self._stage + end] = data
        self.words[_STAGED] = end
        return True

    def staged(self) -> bytes:
        """What was stored and not cleared. The daemon gets nothing if it was sent meanwhile."""
        sent = self.words[_SENT]
        data = self._map[self._stage : self._stage + self.words[_STAGED]]
        return data if self.words[_SENT] == sent else b""

    def clear_stage(self) -> None:
        """All that was stored has been sent."""
        self.words[_STAGED] = 0
        self.words[_SENT] += 1  # before new bytes overwrite it, which must not be taken for the old ones

    # -- the daemon's side

    def marks(self) -> list[Mark]:
        """What is running now, in the order of slots."""
        marks = []
        words = self.words
        for slot in range(self.slots):
            base = self.base(slot)
            # task_id is written last: if it holds still, so did the words before it.
            task_id, started_us, fence, attempt = words[base + 2], words[base], words[base + 1], words[base + 3]
            if task_id and words[base + 2] == task_id and words[base] == started_us:
                marks.append(Mark(slot, task_id, fence, started_us, attempt))
        return marks

    def memory_before(self, mark: Mark) -> int:
        """Bytes that the worker had when the task of `mark` began, if it has a limit; NOT_COUNTED while it imports."""
        return self.words[self.base(mark.slot) + 5]

    def cpu_before_us(self, mark: Mark) -> int:
        """CPU time that the worker and its children had taken when the chunk of `mark` began."""
        return self.words[self.base(mark.slot) + 6]

    def revoke(self, seq: int) -> None:
        """Parcels up to `seq`: what is not started yet shall not be."""
        self.words[_REVOKED] = max(seq, self.words[_REVOKED])

    def live_until(self, until_us: int) -> None:
        """From then on no task may begin. Safe from any thread."""
        with contextlib.suppress(ValueError):  # the worker is dead, and its page closed
            self.words[_UNTIL] = until_us

    def ask_to_stop(self, mark: Mark) -> None:
        """The task of `mark`, and no other, shall stop when SIGTERM comes."""
        # The start names it: the same task may run in the same slot again, without an order to stop.
        self.words[self.base(mark.slot) + 4] = mark.started_us


def _size(slots: int) -> int:
    return 8 * (_HEADER + slots * _SLOT) + _STAGE


def new_page(slots: int) -> tuple[Page, int]:
    """A new page, and its file descriptor for the worker."""
    fd = os.memfd_create("qflowd-page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, _size(slots))
    page = Page(fd, slots)
    page.live_until(EVERYTHING)
    return page, fd
