"""The part of an instance's controller that says what a person has decided."""

from typing import TYPE_CHECKING

from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer

if TYPE_CHECKING:
    from qflowd.client.client import Client


class Decisions:
    """Approve, reject, and handle failures, of one instance."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _resolve(self) -> int:
        """Its id, once it is known."""
        raise NotImplementedError

    def approve(self, task: str | None = None, note: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let a task continue that waits for an approval: this one, or the only one that does.

        Args:
            note: kept with the answer, beside who gave it and when.

        Raises: Rejected if none waits, somebody has answered, or the deadline has passed; TimeoutError; StoreUnavailable.
        """
        return self._client.command("approve", self._resolve(), task=task, reason=note, timeout=timeout)

    def reject(self, task: str | None = None, note: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let a task fail that waits for an approval; otherwise as `approve`."""
        return self._client.command("reject", self._resolve(), task=task, reason=note, timeout=timeout)

    def handle(self, note: str, task: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Say of its failures, or those of one task, that they are taken care of: they leave `Client.failures()`.

        Args:
            note: what was found or done; it is kept.

        Raises: Rejected if it has no failure that nobody has handled; TimeoutError; StoreUnavailable.
        """
        return self._client.command("handle", self._resolve(), task=task, reason=note, timeout=timeout)
