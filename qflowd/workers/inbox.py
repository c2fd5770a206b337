"""The worker's end of the pipe from the daemon: parcels for its slots, and outputs that running tasks have asked for."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from itertools import count

from qflowd.model.errors import QflowdError
from qflowd.workers import wire
from qflowd.workers.wire import OutputAnswer, Parcel

KEPT = 16 << 20  # bytes of outputs that are kept for other tasks; one alone always is
_READ = 1 << 18
_LOOK_S = 0.1  # how soon one that waits for another to read hears that its task is to stop


class Inbox:
    """One thread reads at a time, for all that wait.

    Args:
        fd: of the pipe.
        is_shared: several slots run tasks in threads, and the one that asks for parcels always reads.
    """

    def __init__(self, fd: int, *, is_shared: bool) -> None:
        self._fd = fd
        self._is_shared = is_shared
        self._buffer = bytearray()
        self._turn = threading.Condition()
        self._is_reading = False
        self._is_closed = False
        self._parcels: list[Parcel] = []
        self._tickets = count(1)
        self._answers: dict[int, OutputAnswer | None] = {}  # by ticket; None: it has not come yet
        self._kept: OrderedDict[int, bytes] = OrderedDict()  # outputs by their number

    def parcels(self) -> list[Parcel]:
        """The next parcels; empty: the daemon has closed the pipe."""
        self._wait(lambda: bool(self._parcels), may_read=True)
        parcels, self._parcels = self._parcels, []
        return parcels

    def fetch(self, number: int, ask: Callable[[int], None]) -> bytes:
        """The output with this number as JSON text; `ask` asks the daemon for it, with a ticket for the answer.

        Raises: QflowdError if it cannot be had.
        """
        with self._turn:
            if (text := self._kept.get(number)) is not None:
                self._kept.move_to_end(number)
                return text
        ticket = next(self._tickets)
        self._answers[ticket] = None
        try:
            ask(ticket)
            self._wait(lambda: self._answers[ticket] is not None, may_read=not self._is_shared)
        finally:
            answer = self._answers.pop(ticket)
        if answer is None:
            raise QflowdError(
                "outputs of parents cannot be read in a forked process; read context().upstream before the fork"
            )
        if answer.text is None:
            raise QflowdError(answer.error)
        with self._turn:
            self._kept[number] = text = answer.text.encode()
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT:
                self._kept.popitem(last=False)
        return text

    def _wait(self, is_there: Callable[[], bool], *, may_read: bool) -> None:
        """Read, or wait for the thread that does, until something is there or the pipe is closed."""
        with self._turn:
            while not is_there() and not self._is_closed:
                if self._is_reading or not may_read:
                    self._turn.wait(_LOOK_S)
                    continue
                self._is_reading = True
                self._turn.release()
                try:
                    data = os.read(self._fd, _READ)
                finally:
                    self._turn.acquire()
                    self._is_reading = False
                    self._turn.notify_all()
                self._take(data)

    def _take(self, data: bytes) -> None:
        self._is_closed = not data
        self._buffer += data
        for item in wire.split(self._buffer):
            if isinstance(item, Parcel):
                self._parcels.append(item)
            elif item.ticket in self._answers:  # else its task was stopped meanwhile
                self._answers[item.ticket] = item
