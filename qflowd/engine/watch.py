"""Watch: notices what others wrote, and wakes whom it concerns. How it notices is the database's affair (store/alarm.py)."""

from collections.abc import Callable
from typing import ClassVar

from qflowd.engine.service import Topics
from qflowd.store.tx import Store, Tx


class Watch:
    """The service that looks around for all others: one statement says whether there is anything to do."""

    name: ClassVar[str] = "watch"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics, daemon_id: Callable[[], int]) -> None:
        self._store = store
        self._topics = topics
        self._daemon_id = daemon_id
        self._alarm = store.dialect.alarm()
        self._is_asleep = False
        self._said_by = 0  # the incarnation that said so: the row of one that others buried is gone

    def tick(self) -> float:
        is_busy = self.look()
        if is_busy == self._is_asleep or self._said_by != self._daemon_id():
            # Say that we sleep, then look once more: what was written in between rang no bell.
            self._say(is_asleep=not is_busy)
            is_busy = self.look() or is_busy
        self._alarm.wait(is_busy=is_busy)
        return 0

    def look(self) -> bool:
        """Publish what there is to do; False: nothing."""
        seen = self._store.read(lambda tx: tx.one("look_around"))
        topics = []
        if seen.submission is not None:
            topics.append("submission")
        if seen.command is not None:
            topics.append("command")
        if seen.due_at is not None and seen.due_at <= self._store.clock.now():
            topics.append("timer")
        self._topics.publish(*topics)
        return bool(topics)

    def wake(self) -> None:
        """End the wait; safe from any thread."""
        self._alarm.wake()

    def close(self) -> None:
        """Let the alarm go; once nobody waits for it any more."""
        self._alarm.close()

    def _say(self, *, is_asleep: bool) -> None:
        daemon_id = self._daemon_id()
        if self._store.dialect.has_waker:

            def fall_asleep(tx: Tx) -> None:
                tx.run("set_asleep", id=daemon_id, is_asleep=int(is_asleep))

            self._store.transact(fall_asleep, single=True)
        self._is_asleep, self._said_by = is_asleep, daemon_id  # last: what was not written was not said
