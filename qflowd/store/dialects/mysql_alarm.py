"""MySQL's alarm: nothing rings there, so a question is put that the server answers only when there is something."""

from collections.abc import Callable, Collection

from qflowd.store.alarm import NOTHING, Alarm
from qflowd.store.clock import boottime
from qflowd.store.dialects.base import Disconnected, Retryable
from qflowd.store.dialects.mysql_connection import MysqlConnection, translated

# The server itself looks every 10 ms, 25 times; what it has found comes back as a row count, in one short packet.
QUESTION = """
WITH RECURSIVE look(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM look WHERE n < 25)
SELECT 1 FROM look
WHERE EXISTS (SELECT 1 FROM qflow.submissions s WHERE s.is_open = 1 AND look.n > 0)
   OR EXISTS (SELECT 1 FROM qflow.commands c WHERE c.is_open = 1 AND look.n > 0)
   OR EXISTS (SELECT 1 FROM qflow.signals g WHERE g.is_open = 1 AND look.n > 0)
   OR SLEEP(0.01)
LIMIT 1 INTO @qflow_is_open
"""
# A statement would see the same snapshot at every look otherwise.
SEE_ALL = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"


class MysqlAlarm(Alarm[MysqlConnection]):
    """Asks again and again. Rows that are not committed yet are seen too; where nothing comes of them it asks more rarely."""

    SOON_S, LATE_S, SLOW_S = 0.005, 0.06, 2.0

    def __init__(self, connect: Callable[[], MysqlConnection]) -> None:
        super().__init__(connect)
        self._pause_s = 0.0  # before the next question

    def wait(self, *, is_busy: bool) -> Collection[str]:
        if is_busy:
            self._pause_s = self.SOON_S
        until = boottime() + self.SLOW_S
        is_woken, _ = self.sleep(self._pause_s)
        while not is_woken and boottime() < until:
            if self._is_anything_open():
                self._pause_s = min(self.LATE_S, max(self.SOON_S, 1.5 * self._pause_s))
                break
            self._pause_s = 0.0
            is_woken, _ = self.sleep(0)
        return NOTHING

    def _is_anything_open(self) -> bool:
        """Ask, for a quarter of a second at most."""
        try:
            with translated():
                if self._connection is None:
                    self._connection = self._connect()
                    self._connection.driver.query(SEE_ALL)
                return self._connection.driver.query(QUESTION) > 0
        except (Disconnected, Retryable):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return True  # have a look: the outage will show
