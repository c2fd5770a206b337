"""The controller of one limit: how large it is, its breaker, and whether anything that needs it may begin."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no

if TYPE_CHECKING:
    from qflowd.client.client import Client


class Limit:
    """A limit of the database, as `Client.limit()` gives it. It is shared by all tenants, and so is what is done to it.

    Its methods raise what `Client.command` does.
    """

    def __init__(self, client: "Client", name: str) -> None:
        self._client = client
        self.name = name

    def __repr__(self) -> str:
        return f"<qflowd.Limit {self.name}>"

    def info(self) -> dict[str, Any]:
        """Its row of the view `limits`.

        Raises: NotFound if no task, configuration or command has named it yet; StoreUnavailable.
        """
        rows = {row["name"]: row for row in self._client.limits()}
        if self.name not in rows:
            raise NotFound(there_is_no("limit", self.name, rows, "limits"))
        return rows[self.name]

    def set(
        self,
        slots: int | None = None,
        *,
        rate: str | Sequence[str] | None = None,
        breaker: str | Mapping[str, Any] | Literal[False] | None = None,
        reason: str | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Set its slots, rates or breaker, whatever the configuration says, until `unset()`. What is None stays as it is.

        Args:
            slots: 1 to 1,000,000. With fewer than are in use nothing is stopped, and nothing begins until enough have ended.
            rate: such as `"200/min"` or `["200/min", "8000/day"]`; `[]` for none.
            breaker: such as `"5/min"` or `{"failures": "5/min", "open": "30s", "on": ["ConnectionError"]}`; False for none.
        """
        rates = None if rate is None else [rate] if isinstance(rate, str) else list(rate)
        args = {"slots": slots, "rate": rates, "breaker": breaker}
        return self._command("set_limit", reason, timeout, args)

    def unset(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let it be what the configuration, a pattern or the default says."""
        return self._command("unset_limit", reason, timeout)

    def pause(self, reason: str | None = None, *, for_: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Let nothing begin that needs it, for a while (`for_="10m"`) or until `resume()`. What runs continues."""
        return self._command("pause_limit", reason, timeout, {"for": for_})

    def resume(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """End a pause, by whomever."""
        return self._command("resume_limit", reason, timeout)

    def open(self, reason: str | None = None, *, for_: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Open its breaker; afterwards one task tries."""
        return self._command("open_breaker", reason, timeout, {"for": for_})

    def close(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Close its breaker."""
        return self._command("close_breaker", reason, timeout)

    def _command(
        self, action: str, reason: str | None, timeout: float | None, args: dict[str, Any] | None = None
    ) -> Answer:
        asked = {"limit": self.name} | {key: value for key, value in (args or {}).items() if value is not None}
        return self._client.command(action, args=asked, reason=reason, timeout=timeout)
