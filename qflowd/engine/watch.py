"""Watch: notices what others wrote, and wakes whom it concerns. How it notices is the database's affair.

PostgreSQL: LISTEN, heard only while this daemon says that it sleeps. SQLite: `data_version` every 5 ms. MySQL: polling.
Below all of them lies a slow poll, so a lost notification costs time and nothing else.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from qflowd.engine.service import Topics
from qflowd.store.tx import Store, Tx


class Watch:
    """The service that looks around for all others."""

    name: ClassVar[str] = "watch"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics, daemon_id: int) -> None:
        self._store = store
        self._topics = topics
        self._daemon_id = daemon_id
        self._alarm = store.dialect.alarm(store)

    def tick(self) -> float:
        """Wait for the alarm, then look around once."""
        self._alarm.wait()
        self.look()
        return 0

    def look(self) -> Any:
        """One statement says what is there to do; publish it."""
        seen = self._store.read(lambda tx: tx.one("look_around"))
        if seen.submission is not None:
            self._topics.publish("submission")
        if seen.command is not None:
            self._topics.publish("command")
        if seen.due_at is not None and seen.due_at <= self._store.clock.now():
            self._topics.publish("timer")
        return seen
