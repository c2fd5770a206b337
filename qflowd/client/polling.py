"""Waiting for something that only the database knows: asked often at first, then less and less."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_S: Final = 0.01
LONGEST_S: Final = 0.5
GROWTH: Final = 1.3


def poll_until(ask: Callable[[], T | None], timeout: float | None, longest_s: float = LONGEST_S) -> T | None:
    """Ask until the answer is not None; None when `timeout` seconds are over (None: never).

    Asks at least once. Pauses grow from 10 ms to `longest_s`.
    """
    end = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_S
    while (found := ask()) is None:
        left = pause if end is None else end - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(pause * GROWTH, longest_s)
    return found
