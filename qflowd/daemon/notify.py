"""What systemd is told: readiness, stopping, and that the watchdog need not bite (sd_notify, without a library)."""

import os
import socket
from typing import Final

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
    """How often systemd wants to hear of us; None if it does not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) > 0 else None
