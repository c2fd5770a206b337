"""A session: what an exchange calls a trading day, as instants."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

Span = tuple[datetime, datetime]  # from and to, both in UTC


@dataclass(frozen=True, slots=True)
class TradingSession:
    """One session. Work days have no hours: of these `parts` is empty, and neither `open_at` nor `close_at` is there.

    `day`: the session's name; its night lies on the evening of an earlier day. `parts`: without the breaks between them.
    `is_half`: its hours are not the usual ones, as on half days and after delays.
    """

    day: date
    parts: tuple[Span, ...]
    night: Span | None = None
    is_half: bool = False

    @property
    def open_at(self) -> datetime | None:
        """When the day session begins."""
        return self.parts[0][0] if self.parts else None

    @property
    def close_at(self) -> datetime | None:
        """When the day session ends."""
        return self.parts[-1][1] if self.parts else None

    @property
    def breaks(self) -> tuple[Span, ...]:
        """Between the parts of the day session."""
        return tuple((left[1], right[0]) for left, right in pairwise(self.parts))

    @property
    def spans(self) -> tuple[Span, ...]:
        """All times of trading, earliest first: the night, and the parts of the day session."""
        return (self.night, *self.parts) if self.night else self.parts

    def is_open(self, instant: datetime) -> bool:
        """Whether there is trading at an instant; not any more at the end of a part."""
        return any(begin <= instant < end for begin, end in self.spans)
