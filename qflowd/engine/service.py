"""The shape of everything that works in the background: a round at a time, asleep between rounds, awake on a topic."""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from qflowd.model.errors import GrantsMissing, StoreUnavailable
from qflowd.store.tx import DataRefused, Store

log = logging.getLogger("qflowd")
K = TypeVar("K")
LONGEST_BACKOFF_S = 5.0
MOST_LINES = 10  # of one kind in the log, at once


class Topics:
    """Wakes services by topic (`submission`, `command`, `ready`, `timer`, …). Whoever publishes knows no subscriber."""

    def __init__(self) -> None:
        self._wakers: dict[str, list[Callable[[], None]]] = {}

    def subscribe(self, topic: str, wake: Callable[[], None]) -> None:
        """Have `wake` called, by whatever thread publishes; it must not wait."""
        self._wakers.setdefault(topic, []).append(wake)

    def publish(self, *topics: str) -> None:
        """Wake all subscribers. Safe from any thread."""
        for topic in topics:
            for wake in self._wakers.get(topic, ()):
                wake()


class Service(Protocol):
    """One background duty."""

    name: ClassVar[str]
    topics: ClassVar[tuple[str, ...]]

    def tick(self) -> float:
        """Do one bounded round; return the seconds until the next if nothing wakes it, 0 for at once."""
        ...


class ServiceThread:
    """Runs one service in a thread of its own until it is stopped. An error is logged and backs off; it never ends it."""

    def __init__(self, service: Service, topics: Topics) -> None:
        self.service = service
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"qflowd-{service.name}", daemon=True)
        for topic in service.topics:
            topics.subscribe(topic, self._wake.set)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end after its round."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if it has not."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                pause_s = self.service.tick()
                failures = 0
            except Exception as error:  # noqa: BLE001 - a service outlives any fault of ours; it is logged whole
                failures += 1
                pause_s = back_off(failures)
                report(self.service.name, error, pause_s)
            if pause_s > 0 and not self._stopping:
                self._wake.wait(pause_s)
            # Cleared before the round: what is published during it is not lost.
            self._wake.clear()


def back_off(failures: int) -> float:
    """Seconds to wait after so many failed rounds in a row, spread by chance."""
    return min(LONGEST_BACKOFF_S, 0.1 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)


def log_some(message: str, rows: Sequence[Sequence[Any]]) -> None:
    """A warning for each of a few rows; of many, how many more there are."""
    for row in rows[:MOST_LINES]:
        log.warning(message, *row)
    if len(rows) > MOST_LINES:
        log.warning("and %d more like this", len(rows) - MOST_LINES)


def log_failed(store: Store, closed: Iterable[int]) -> None:
    """A warning for each of these instances that has failed; for a few of many."""
    try:
        rows = store.read(lambda tx: tx.run("list_failed", rows=[(number,) for number in sorted(closed)]))
    except StoreUnavailable:
        return  # another line of this log says so
    log_some("instance %d of %s FAILED: %s", rows)


def log_refused(message: str, number: int, error: Exception) -> None:
    """Log a row that cannot be taken: one sentence if its values are at fault, else with the traceback."""
    trace = None if isinstance(error, DataRefused) else error
    log.warning(message, number, " ".join(str(error).split()), exc_info=trace)


def take_one_by_one(
    what: str, numbers: Iterable[int], take: Callable[[int], object], refuse: Callable[[int, str], None]
) -> None:
    """Take rows of an inbox whose batch could not be taken: a row that cannot be read is refused, and delays no other.

    Args:
        what: of which kind the rows are, in words.
        take: takes the row of an id, in a transaction of its own.
        refuse: answers the row of an id with the reason.

    Raises: StoreUnavailable.
    """
    for number in numbers:
        try:
            take(number)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer
            log_refused(f"{what} %d cannot be taken: %s", number, error)
            refuse(number, f"this row cannot be taken: {error}")


def report(name: str, error: Exception, pause_s: float) -> None:
    """An outage, or a grant that is missing, is one line; anything else is a fault of ours and comes with its traceback."""
    if isinstance(error, StoreUnavailable | GrantsMissing):
        log.warning("%s: %s; trying again in %.1f s", name, error, pause_s)
    else:
        log.error("%s failed; trying again in %.1f s", name, pause_s, exc_info=error)


class UnreadableLog:
    """Warns once of each row that this daemon cannot read, as a newer qflowd has stored it; another daemon takes it."""

    def __init__(self) -> None:
        self._warned: set[tuple[str, int]] = set()

    def warn_once(self, what: str, number: int, error: Exception) -> None:
        """`what`: of which kind it is, in words."""
        if not self.has_warned(what, number):
            self._warned.add((what, number))
            log.warning("%s %d waits for a daemon that can read it (upgrade qflowd here): %s", what, number, error)

    def has_warned(self, what: str, number: int) -> bool:
        """Is it one of those? Safe from any thread."""
        return (what, number) in self._warned


class Place(Generic[K]):
    """Where the next look at a list that is read in batches begins: rows that stay in it hide none of those behind them."""

    def __init__(self, start: K) -> None:
        self._start = self.after = start

    def move(self, rows: Sequence[Any], batch: int, key: Callable[[Any], K]) -> bool:
        """Behind these rows if they fill a batch, else back to the start. Returns: may there be others behind them?"""
        is_full = len(rows) == batch
        self.after = key(rows[-1]) if is_full else self._start
        return is_full
