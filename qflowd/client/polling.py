"""Waiting for something that only the database knows: asked often at first, then less and less."""

import math
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_S: Final = 0.01
LONGEST_S: Final = 0.5
GROWTH: Final = 1.3


def poll(ask: Callable[[], T | None], timeout: float | None, longest_s: float = LONGEST_S) -> T:
    """Ask, at least once, until the answer is not None. Pauses grow from 10 ms to `longest_s`.

    Raises: TimeoutError when `timeout` seconds are over (None: never).
    """
    end = math.inf if timeout is None else time.monotonic() + timeout
    pause = FIRST_S
    while (answer := ask()) is None:
        if (left := end - time.monotonic()) <= 0:
            raise TimeoutError
        time.sleep(min(pause, left))
        pause = min(pause * GROWTH, longest_s)
    return answer
