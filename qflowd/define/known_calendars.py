"""Which calendars a document may name: those that ship, and those of the tenant for whom it is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from qflowd.model.errors import NotFound

if TYPE_CHECKING:
    from qflowd.calendars.calendar import Calendar
    from qflowd.calendars.calendar_book import Calendars


class TenantToo:
    """Calendars that ship, and where a name is none of them, those of a tenant: these are loaded when first needed."""

    def __init__(self, load: "Callable[[], Calendars]") -> None:
        self._load = load
        self._loaded: Calendars | None = None
        self.has_missed = False  # a name that nobody had was asked for

    def calendar(self, name: str) -> "Calendar":
        """Raises: NotFound, which names what comes near."""
        from qflowd.calendars.calendar_book import BUNDLED  # most documents name none

        try:
            return BUNDLED.calendar(name)
        except NotFound:
            self._loaded = self._loaded or self._load()
            try:
                return self._loaded.calendar(name)
            except NotFound:
                self.has_missed = True
                raise


_known: "ContextVar[Calendars | None]" = ContextVar("qflowd_calendars", default=None)


@contextmanager
def knowing(calendars: "Calendars") -> Iterator[None]:
    """Read documents that may name these calendars."""
    token = _known.set(calendars)
    try:
        yield
    finally:
        _known.reset(token)


def known_calendars() -> "Calendars":
    """The calendars that a document may name here."""
    from qflowd.calendars.calendar_book import BUNDLED  # most documents name none

    return _known.get() or BUNDLED
