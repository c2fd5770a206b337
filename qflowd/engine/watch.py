"""Watch: notices what others wrote and wakes the services concerned; how depends on the database (store/alarm.py).

Where inboxes can notify, they do so only while a daemon has announced that it sleeps. A client may write before that and
commit after the look that follows; so the transactions open at that moment are watched until they end.
"""

from collections.abc import Callable, Collection
from typing import ClassVar, Final

from qflowd.engine.service import Topics
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

WRITERS_S: Final = 5.0  # a transaction that stays open longer is met by the slow look
AWAKE_AFTER: Final = 5  # rounds in a row with something to do: from here on notifications would cost more than looks
TOPICS: Final = {"submissions": "submission", "commands": "command", "signals": "fact"}  # by inbox


class Watch:
    """The service that looks for work on behalf of all others, by one statement."""

    name: ClassVar[str] = "watch"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics, daemon_id: Callable[[], int]) -> None:
        self._store = store
        self._topics = topics
        self._daemon_id = daemon_id
        self._alarm = store.dialect.alarm()
        self._rung: Collection[str] = ()  # inboxes that the alarm has named: there is no need to look into them
        self._busy_rounds = 0
        self._announced = (0, False)  # daemon id, which changes if it was marked dead; whether it is asleep
        self._writers: set[str] = set()  # transactions that had written before the announcement
        self._writers_until = 0.0  # CLOCK_BOOTTIME

    def tick(self) -> float:
        topics = [TOPICS[inbox] for inbox in self._rung if inbox in TOPICS]
        self._topics.publish(*topics)
        is_busy = bool(topics) or self.look()
        self._busy_rounds = self._busy_rounds + 1 if is_busy else 0
        is_asleep = self._busy_rounds < AWAKE_AFTER
        if self._store.dialect.has_waker and self._announced != (self._daemon_id(), is_asleep):
            self._announce(is_asleep=is_asleep)
            is_busy = self.look() or is_busy  # a write in between did not notify
        is_awaited = bool(self._writers) and boottime() < self._writers_until
        self._rung = self._alarm.wait(is_busy=is_busy or is_awaited)
        return 0

    def look(self) -> bool:
        """Publish what there is to do; False: nothing."""
        if self._writers:  # asked before the look: those that are gone by now have committed
            self._writers &= self._inbox_writers()
        seen = self._store.read(lambda tx: tx.one("find_open_work"))
        topics = [topic for topic in ("submission", "command", "fact") if getattr(seen, topic) is not None]
        if seen.due_at is not None and seen.due_at <= self._store.clock.now():
            topics.append("timer")
        self._topics.publish(*topics)
        return bool(topics)

    def wake(self) -> None:
        """End the wait; safe from any thread."""
        self._alarm.wake()

    def sever(self) -> None:
        """Break the alarm's connection, on which nothing is answered; safe from any thread."""
        self._alarm.sever()

    def close(self) -> None:
        """Close the alarm; call it when no thread waits for it."""
        self._alarm.close()

    def _announce(self, *, is_asleep: bool) -> None:
        daemon_id = self._daemon_id()

        def set_asleep(tx: Tx) -> None:
            tx.run("set_asleep", id=daemon_id, is_asleep=int(is_asleep))

        self._store.transact(set_asleep, single=True)
        self._writers = self._inbox_writers() if is_asleep else set()
        self._writers_until = boottime() + WRITERS_S
        self._announced = daemon_id, is_asleep  # last: only what was written was announced

    def _inbox_writers(self) -> set[str]:
        return {row.writer for row in self._store.read(lambda tx: tx.run("list_inbox_writers"))}
