"""Looks at the database again and again beside the screen, which stays quick to the keys while the database is slow."""

import threading
from collections.abc import Callable
from typing import Final

from qflowd.api.today.overview import Overview
from qflowd.model.errors import StoreUnavailable

PATIENCE_S: Final = 1.0  # for a look that is under way when somebody leaves


class OverviewWatch:
    """The newest overview; `error` says why it is not newer. It looks once in `every_s` seconds, never while it stands still."""

    def __init__(
        self, read: Callable[[], Overview], first: Overview, every_s: float, close: Callable[[], None]
    ) -> None:
        """`close`: of what `read` reads from, which must be at rest then."""
        self._read, self._every_s, self._close = read, every_s, close
        self._has_ended, self._may_look = threading.Event(), threading.Event()
        self._may_look.set()
        self.latest, self.error = first, ""
        self.fault: Exception | None = None  # of the program; an absent database is not one
        self._thread = threading.Thread(target=self._look, name="qflowd-top", daemon=True)
        self._thread.start()

    def stand_still(self, is_still: bool) -> None:  # noqa: FBT001 - a state, not an option
        """Look no more, or again."""
        if is_still:
            self._may_look.clear()
        else:
            self._may_look.set()

    def close(self) -> None:
        """Look no more; a look that is under way and takes long is left to itself."""
        self._has_ended.set()
        self._may_look.set()
        self._thread.join(PATIENCE_S)
        if not self._thread.is_alive():
            self._close()

    def _look(self) -> None:
        while not self._has_ended.wait(self._every_s):
            self._may_look.wait()
            if self._has_ended.is_set():
                return
            try:
                self.latest, self.error = self._read(), ""
            except StoreUnavailable as error:
                self.error = " ".join(str(error).split())
            except Exception as error:  # noqa: BLE001 - told by the thread that people look at
                self.fault = error
                return
