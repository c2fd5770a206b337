"""What a handler returns where a stream is to be sent; how it is sent is known in the room `http`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qflowd.api.live.topic import Topic

STREAM_HEADERS: Final = (
    ("content-type", "text/event-stream"),
    ("x-accel-buffering", "no"),  # nginx would keep events back
    ("connection", "close"),
)


@dataclass(frozen=True, slots=True)
class Live:
    """What a handler returns for a stream. `check`: a blocking function that raises once the credentials have ended."""

    topics: Sequence[Topic]
    principal: str
    last_event: str | None
    check: Callable[[], Any]
