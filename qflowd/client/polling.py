"""Waiting for something that only the database knows: asked often at first, then less and less."""

import math
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_S: Final = 0.01
LONGEST_S: Final = 0.5
ANSWER_S: Final = 30.0  # how long a command waits for a daemon to answer
HELD_S: Final = 20.0  # proxies cut off what is silent for a minute
GROWTH: Final = 1.3


def poll(
    ask: Callable[[float], T | None],
    timeout: float | None,
    longest_s: float = LONGEST_S,
    held_s: float = HELD_S,
) -> T:
    """Ask, at least once, until the answer is not None. Pauses from one time to the next grow from 10 ms to `longest_s`.

    Args:
        ask: gets the seconds for which an answer may be held back until there is news, at most `held_s`. Over HTTP the
            server waits so long; a database answers at once.

    Raises: TimeoutError when `timeout` seconds are over (None: never).
    """
    end = math.inf if timeout is None else time.monotonic() + timeout
    pause = FIRST_S
    left = end - time.monotonic()
    while True:
        asked_at = time.monotonic()
        if (answer := ask(max(0.0, min(left, held_s)))) is not None:
            return answer
        if (left := end - time.monotonic()) <= 0:
            raise TimeoutError
        time.sleep(max(0.0, min(pause + asked_at - time.monotonic(), left)))
        pause = min(pause * GROWTH, longest_s)
