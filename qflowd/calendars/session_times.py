"""Times of a schedule that follow the session: `close+30m`, `open-10m`, `night_open-15m`."""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from qflowd.calendars.trading_session import TradingSession
from qflowd.model.durations import parse_period

_FARTHEST: Final = timedelta(hours=24)  # beyond, it is the day of another session
_TIME: Final = re.compile(r"\s*((?:night_)?(?:open|close))\s*(?:([+-])\s*([0-9a-z. ]+))?\s*")


class SessionTime(NamedTuple):
    """An instant of each session: its `anchor`, and an `offset` from it, negative before it."""

    anchor: str
    offset: timedelta

    def of(self, session: TradingSession) -> datetime | None:
        """The instant in UTC; None where a session has no such anchor: no night, or no hours at all."""
        night_open, night_close = session.night or (None, None)
        at = {
            "open": session.open_at,
            "close": session.close_at,
            "night_open": night_open,
            "night_close": night_close,
        }[self.anchor]
        return None if at is None else at + self.offset


def parse_session_time(text: object) -> SessionTime:
    """The time that `close+30m` means. An offset is less than a day.

    Raises: ValueError with what to write.
    """
    if isinstance(text, str):
        return _parsed(text)
    raise ValueError(_unreadable(text))


@lru_cache(maxsize=512)
def _parsed(text: str) -> SessionTime:
    if (found := _TIME.fullmatch(text)) is None:
        raise ValueError(_unreadable(text))
    anchor, sign, duration = found.groups()
    offset = timedelta(seconds=parse_period(duration)) if duration else timedelta()
    if offset >= _FARTHEST:
        raise ValueError(f"{text!r} leaves the session: an offset is less than 24h")
    return SessionTime(anchor, -offset if sign == "-" else offset)


def _unreadable(text: object) -> str:
    return f"{text!r} is not a time of a session; write it like close+30m, open-10m or night_open-15m"
