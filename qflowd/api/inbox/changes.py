"""Waiting until an answer is another one than the caller has: `?wait=30&until=change` with `If-None-Match`."""

import time
from collections.abc import Callable
from typing import Final

from qflowd.api.answers import ApiAnswer, Wait, weak_etag
from qflowd.api.call import Call
from qflowd.api.inbox.waiting import LONGEST_LOOK_S

RESTS: Final = 20  # times as long as a look took, so that one that waits costs a twentieth of a connection at most


def until_changed(call: Call, read: Callable[[], ApiAnswer]) -> Wait:
    """The answer that `read` gives as soon as the caller's ETag is not its own; at last whatever it is: 304 if the same."""
    known = {each.strip() for each in call.request.headers.get("if-none-match", "").split(",")}
    due_at = 0.0

    def look() -> ApiAnswer | None:
        nonlocal due_at
        if (began_at := time.monotonic()) < due_at:
            return None
        answer = read()
        now = time.monotonic()
        due_at = now + max(LONGEST_LOOK_S, RESTS * (now - began_at))
        return None if weak_etag(answer) in known else answer

    return Wait(look, read, call.wait_s or 0.0)
