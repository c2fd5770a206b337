"""Signals of the operating system, by name."""

import signal


def signal_name(number: int) -> str:
    """Such as `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:  # Python knows no names between SIGRTMIN and SIGRTMAX
        return f"signal {number}"
