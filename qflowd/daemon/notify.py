"""Notifications to systemd: ready, stopping, and the feeding of its watchdog (sd_notify, without a library)."""

import os
import socket
from typing import ClassVar, Final

from qflowd.engine.membership.lease import Lease
from qflowd.store.clock import boottime

PATIENCE_S: Final = 30.0  # for one beat; a known outage is waited out, and does not starve the watchdog
SEND_S: Final = 1.0  # a manager that reads nothing must not hold us up


def notify(state: str) -> None:
    """Send `state` (such as READY=1) to systemd; nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(SEND_S)
        try:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(state.encode())
        except OSError:
            return


def watchdog_s() -> float | None:
    """How often systemd expects a notification; None if it does not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) > 0 else None


class Watchdog:
    """The service that feeds systemd's watchdog with what the heartbeat has proved."""

    name: ClassVar[str] = "watchdog"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, lease: Lease, bites_after_s: float) -> None:
        self._lease, self._bites_after_s = lease, bites_after_s

    def tick(self) -> float:
        if boottime() - self._lease.answered_at < max(self._bites_after_s, PATIENCE_S):
            notify("WATCHDOG=1")
        return self._bites_after_s / 3
