"""Alarms: how each database tells a waiting daemon that somebody has written. All of them may stay silent; nobody relies on one."""

import os
import select
from abc import ABC, abstractmethod


class Alarm(ABC):
    """Waits for writes of others. One thread waits; any may call `wake`."""

    def __init__(self) -> None:
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self.bell, select.POLLIN)

    @abstractmethod
    def wait(self, *, is_busy: bool) -> None:
        """Return when there may be something new, or after the slow poll. `is_busy`: the last look found something."""

    def wake(self) -> None:
        """End the wait now."""
        os.eventfd_write(self.bell, 1)

    def sleep(self, seconds: float) -> bool:
        """Sleep unless woken; True if somebody woke us."""
        if not self._poll.poll(max(0.0, seconds * 1000)):
            return False
        os.eventfd_read(self.bell)
        return True

    def close(self) -> None:
        os.close(self.bell)


class Polling(Alarm):
    """Looks again and again: soon after something was found, ever more rarely while nothing is."""

    SOON_S, LATE_S = 0.005, 0.05

    def __init__(self) -> None:
        super().__init__()
        self._pause_s = self.LATE_S

    def wait(self, *, is_busy: bool) -> None:
        self._pause_s = self.SOON_S if is_busy else min(self.LATE_S, self._pause_s * 1.5)
        self.sleep(self._pause_s)
