"""Liveness: a daemon's heartbeat and lookout, and what is done when others, a server or the file has left the daemon behind."""

import logging
import os
from typing import TYPE_CHECKING

from qflowd.engine.heartbeat import Heartbeat
from qflowd.engine.lease import Lookout
from qflowd.engine.service import Service
from qflowd.model.durations import MB
from qflowd.model.instruments import DaemonReregistered, LeaseExpired

if TYPE_CHECKING:
    from qflowd.daemon.assembly import Daemon

log = logging.getLogger("qflowd")


class Liveness:
    """Keeps one daemon alive in the eyes of the others."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon

    def services(self) -> list[Service]:
        """They run from the first moment on: plugins may take a minute."""
        daemon = self._daemon
        return [
            Heartbeat(
                daemon.store,
                daemon.topics,
                daemon.lease,
                daemon_id=lambda: daemon.identity.id,
                reregister=self._reregister,
                memory_mb=resident_mb,
            ),
            Lookout(
                daemon.lease,
                is_embedded=daemon.store.dialect.file is not None,
                fence=self._lose_lease,
                sever=self._sever,
                is_replaced=lambda: daemon.store.is_replaced,
                leave=self._leave_file,
            ),
        ]

    def _lose_lease(self) -> None:
        self._daemon.executor.fence()
        self._daemon.instruments.emit(LeaseExpired())

    def _sever(self) -> None:
        self._daemon.store.sever()
        if self._daemon.is_up:
            self._daemon.watch.sever()

    def _reregister(self) -> None:
        """Others have marked this incarnation dead; continue as a new one, with nothing in hand."""
        daemon = self._daemon
        daemon.executor.forget_all()
        daemon.identity.register()
        daemon.instruments.emit(DaemonReregistered(daemon.identity.id))
        daemon.topics.publish("plugins")  # that service announces it: the heartbeat must not wait for other rows

    def _leave_file(self) -> None:
        """Nothing that is held or known here belongs to the file that is there now."""
        daemon = self._daemon
        remedy = "restarting with it" if daemon.start_again else "stop this Engine and start it again"
        log.error("%s; its tasks are killed: %s", daemon.store.loss(), remedy)
        daemon.executor.forget_all()
        daemon.stop()
        if daemon.start_again:
            daemon.start_again()


def resident_mb() -> float:
    """Resident memory of this process in MB."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read every beat
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / MB
