"""MySQL's alarm: nothing rings there, so it asks the inboxes, as cheaply as this database and its driver can be asked."""

from collections.abc import Callable, Collection

import pymysql

from qflowd.store.alarm import NOTHING, Alarm
from qflowd.store.clock import boottime
from qflowd.store.dialects.base import Disconnected, Retryable
from qflowd.store.dialects.mysql_connection import MysqlConnection, translated

ASK = (
    "(SELECT 1 FROM qflow.submissions WHERE is_open = 1 LIMIT 1) UNION ALL "
    "(SELECT 1 FROM qflow.commands WHERE is_open = 1 LIMIT 1) LIMIT 1"
)
# How many rows went into the variable comes back in one short packet; a result set is seven, and half of an idle daemon.
ASK_IN_SHORT = f"{ASK} INTO @qflow_is_open"


class Asking(Alarm):
    """Asks soon after there was something, ever more rarely while there is nothing."""

    SOON_S, LATE_S, SLOW_S = 0.005, 0.06, 2.0

    def __init__(self, connect: Callable[[], MysqlConnection]) -> None:
        super().__init__()
        self._connect = connect
        self._connection: MysqlConnection | None = None
        self._pause_s = self.SOON_S
        self._question = ASK_IN_SHORT

    def wait(self, *, is_busy: bool) -> Collection[str]:
        if is_busy:
            self._pause_s = self.SOON_S
        until = boottime() + self.SLOW_S
        is_woken, _ = self.sleep(self._pause_s)
        while not is_woken and boottime() < until and not self._is_anything_open():
            self._pause_s = min(self.LATE_S, self._pause_s * 1.5)
            is_woken, _ = self.sleep(self._pause_s)
        return NOTHING

    def _is_anything_open(self) -> bool:
        self._connection = self._connection or self._connect()
        try:
            with translated():
                return self._connection.driver.query(self._question) > 0
        except pymysql.err.ProgrammingError:
            if self._question == ASK:
                raise
            self._question = ASK  # some servers take no INTO behind a UNION
            return True
        except (Disconnected, Retryable):
            self._connection.close()
            self._connection = None
            return True  # have a look: the outage will show

    def close(self) -> None:
        super().close()
        if self._connection is not None:
            self._connection.close()
