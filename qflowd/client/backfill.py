"""The controller of one backfill: how far it has come, and whether it continues."""

from typing import TYPE_CHECKING, Any

from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer
from qflowd.model.errors import NotFound

if TYPE_CHECKING:
    from qflowd.client.client import Client


class Backfill:
    """A backfill of the database, as `Client.backfill()` gives it.

    Its commands raise what `Client.command` does.
    """

    def __init__(self, client: "Client", id: int) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"<qflowd.Backfill {self.id}>"

    def info(self) -> dict[str, Any]:
        """Its row of the view `backfills`.

        Raises: NotFound if there is none with this id; StoreUnavailable.
        """
        row = self._client.read_one("show_backfill", id=self.id)
        if row is None:
            raise NotFound(f"there is no backfill {self.id}; `qflowd backfills` lists those there are")
        found: dict[str, Any] = row._asdict()
        return found

    def dates(self) -> list[dict[str, Any]]:
        """Rows of the view `backfill_dates`, in the order in which they run; at most 10,000."""
        return [row._asdict() for row in self._client.read_parts("show_backfill_dates", key="place", id=self.id)]

    def pause(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Submit nothing more until `resume()`. What it has submitted runs."""
        return self._command("pause_backfill", reason, timeout)

    def resume(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """End a pause, by whomever."""
        return self._command("resume_backfill", reason, timeout)

    def stop(self, reason: str | None = None, *, terminate: bool = False, timeout: float | None = ANSWER_S) -> Answer:
        """Submit nothing more, for good. What it has submitted runs to its end, or with `terminate` is terminated."""
        return self._command("stop_backfill", reason, timeout, {"terminate": True} if terminate else {})

    def _command(
        self, action: str, reason: str | None, timeout: float | None, more: dict[str, Any] | None = None
    ) -> Answer:
        args = {"backfill": self.id} | (more or {})
        return self._client.command(action, args=args, reason=reason, timeout=timeout)
