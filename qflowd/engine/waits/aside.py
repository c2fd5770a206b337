"""Work that may hang, such as a look at a network folder: in a thread of its own, so that nobody waits for it for long."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Piece(Generic[T]):
    """One piece of work, which has begun. `name`: of its thread."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work, self._answers = work, list[T]()
        self._error: Exception | None = None
        self.began_s = monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answers.append(self._work())
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            self._error = error

    def has_ended(self, within_s: float) -> bool:
        """Whether it has, or does within so many seconds."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def answer(self) -> T:
        """What the work returned, once it has ended. Raises: what it has raised."""
        if self._error is not None:
            raise self._error
        return self._answers[0]


class Aside(Generic[T]):
    """One piece of work at a time; for one thread that asks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._piece: Piece[T] | None = None

    def ask(self, work: Callable[[], T], within_s: float) -> T | None:
        """What `work` returns; None if that takes longer.

        Until it has ended, further calls begin nothing and do not wait; then the next one gets its answer in place of its own.
        Raises: what the work has raised.
        """
        piece = self._piece
        if piece is None:
            piece = self._piece = Piece(work, self._name)
        else:
            within_s = 0
        if not piece.has_ended(within_s):
            return None
        self._piece = None
        return piece.answer()

    @property
    def late_s(self) -> float:
        """For how many seconds the work has been at it whose answer has not come; 0 where there is none."""
        return 0.0 if self._piece is None else monotonic() - self._piece.began_s
