"""Alarms: how each database tells a waiting daemon of a write. An alarm may stay silent; nothing relies on it."""

import os
import select
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

NOTHING: Collection[str] = ()
_SHORT_S = 0.002


class Session(Protocol):
    """What an alarm needs of its connection, whatever the database."""

    def sever(self) -> None: ...

    def close(self) -> None: ...


S = TypeVar("S", bound=Session)


class Alarm(ABC, Generic[S]):
    """Waits for writes of others on a connection of its own. One thread waits; any may call `wake`."""

    def __init__(self, connect: Callable[[], S]) -> None:
        self._connect = connect
        self._connection: S | None = None
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @abstractmethod
    def wait(self, *, is_busy: bool) -> Collection[str]:
        """Return when there may be something new, or after the slow poll. `is_busy`: there was something a moment ago.

        Returns: the inboxes that were written to, where the alarm is told; none of them: have a look.
        """

    def wake(self) -> None:
        """End the wait now."""
        os.eventfd_write(self._bell, 1)

    def sever(self) -> None:
        """Break a connection on which nothing is answered; from any thread."""
        if self._connection is not None:
            self._connection.sever()

    def sleep(self, seconds: float, fd: int | None = None) -> tuple[bool, bool]:
        """Sleep until woken, or until there is something to read from `fd`. Which of them was it?"""
        poll = select.poll()  # not select(): a daemon with many workers has descriptors above 1024
        poll.register(self._bell, select.POLLIN)
        if fd is not None:
            poll.register(fd, select.POLLIN)
        if seconds < _SHORT_S:  # poll() takes whole milliseconds
            time.sleep(max(0.0, seconds))
            seconds = 0.0
        ringing = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self._bell in ringing:
            os.eventfd_read(self._bell)
        return self._bell in ringing, fd in ringing

    def close(self) -> None:
        os.close(self._bell)
        if self._connection is not None:
            self._connection.close()
