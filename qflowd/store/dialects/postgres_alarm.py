"""PostgreSQL's alarm: the inboxes' trigger notifies while the table `waker` says that a daemon sleeps."""

from collections.abc import Callable, Collection

from qflowd.store.alarm import NOTHING, Alarm
from qflowd.store.dialects.base import Disconnected
from qflowd.store.dialects.postgres_connection import PostgresConnection


class Listening(Alarm):
    """LISTEN on a connection of its own."""

    SLOW_S = 2.0
    BUSY_S = 0.02  # between two looks while there is something
    NAP_S = 0.004  # before others are listened to: in a crowd each would wake us
    DEAF_S = 0.04  # between two looks where notifications do not come through
    PROBE_S = 0.5

    def __init__(self, connect: Callable[[], PostgresConnection]) -> None:
        super().__init__()
        self._connect = connect
        self._ears: PostgresConnection | None = None
        self._is_heard = False

    def wait(self, *, is_busy: bool) -> Collection[str]:
        if self._ears is None or self._ears.driver.closed:
            ears = self._connect()
            try:
                self._is_heard = self._can_hear(ears)
            except BaseException:
                ears.close()  # asked again next time
                raise
            self._ears = ears
            return NOTHING  # what was written before we listened rang no bell
        if not self._is_heard:
            self.sleep(self.BUSY_S if is_busy else self.DEAF_S)
            return NOTHING
        if is_busy:
            self.sleep(self.NAP_S)
        _, is_told = self.sleep(self.BUSY_S if is_busy else self.SLOW_S, self._ears.driver.fileno())
        try:
            return self._ears.hear() if is_told else NOTHING
        except Disconnected:
            self._ears.close()
            return NOTHING

    def _can_hear(self, ears: PostgresConnection) -> bool:
        """Does another session's notification arrive? Through a pooler only our own would come back to us."""
        mouth = self._connect()
        try:
            ears.script("LISTEN qflow")
            mouth.script("SELECT pg_notify('qflow', '')")
            return bool(ears.hear(self.PROBE_S))
        except Disconnected:
            return False
        finally:
            mouth.close()

    def sever(self) -> None:
        if self._ears is not None:
            self._ears.sever()

    def close(self) -> None:
        super().close()
        if self._ears is not None:
            self._ears.close()
