"""PostgreSQL's alarm: the inboxes' trigger notifies while the table `waker` says that a daemon sleeps."""

from collections.abc import Callable, Collection

from qflowd.store.alarm import NOTHING, Alarm
from qflowd.store.dialects.base import Disconnected
from qflowd.store.dialects.postgres_connection import PostgresConnection


class PostgresAlarm(Alarm[PostgresConnection]):
    """LISTEN on the alarm's connection."""

    SLOW_S = 2.0
    BUSY_S = 0.02  # between two looks while there is something
    NAP_S = 0.004  # before others are listened to: in a crowd each would wake us
    SILENT_S = 0.04  # between two looks where notifications do not come through
    PROBE_S = 0.5

    def __init__(self, connect: Callable[[], PostgresConnection]) -> None:
        super().__init__(connect)
        self._is_notified = False

    def wait(self, *, is_busy: bool) -> Collection[str]:
        if self._connection is None or self._connection.driver.closed:
            connection = self._connect()
            try:
                self._is_notified = self._can_listen(connection)
            except BaseException:
                connection.close()  # asked again next time
                raise
            self._connection = connection
            return NOTHING  # what was written before we listened rang no bell
        if not self._is_notified:
            self.sleep(self.BUSY_S if is_busy else self.SILENT_S)
            return NOTHING
        if is_busy:
            self.sleep(self.NAP_S)
        _, is_readable = self.sleep(self.BUSY_S if is_busy else self.SLOW_S, self._connection.driver.fileno())
        try:
            return self._connection.notifications() if is_readable else NOTHING
        except Disconnected:
            self._connection.close()
            return NOTHING

    def _can_listen(self, connection: PostgresConnection) -> bool:
        """Does another session's notification arrive? Through a pooler only our own would come back to us."""
        other = self._connect()
        try:
            connection.script("LISTEN qflow")
            other.script("SELECT pg_notify('qflow', '')")
            return bool(connection.notifications(self.PROBE_S))
        except Disconnected:
            return False
        finally:
            other.close()
