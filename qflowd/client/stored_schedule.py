"""The controller of one schedule: whether it fires, when instead, and what has become of its fires."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no

if TYPE_CHECKING:
    from qflowd.client.client import Client


class StoredSchedule:
    """A schedule of a workflow, as `Client.schedule()` gives it; that it exists is asked only by its methods.

    Without a name it is the only one of the workflow, or, to be switched, all of them. Its methods raise what
    `Client.command` does.
    """

    def __init__(self, client: "Client", workflow: str, name: str | None = None) -> None:
        self._client = client
        self.workflow = workflow
        self.name = name

    def __repr__(self) -> str:
        return f"<qflowd.StoredSchedule {' '.join(filter(None, (self.workflow, self.name)))}>"

    def info(self) -> dict[str, Any]:
        """Its row of the view `schedules`; of several, the first by name.

        Raises: NotFound; StoreUnavailable.
        """
        rows = {row["name"]: row for row in self._client.schedules() if row["workflow"] == self.workflow}
        if not rows or (self.name is not None and self.name not in rows):
            raise NotFound(there_is_no("schedule", self.name or self.workflow, rows, "schedules"))
        return rows[self.name] if self.name is not None else next(iter(rows.values()))

    def fires(self, limit: int = 20) -> list[dict[str, Any]]:
        """As `Client.fires`, of this schedule."""
        return self._client.fires(self.workflow, limit, self.name)

    def next_fires(self, limit: int = 5) -> list[dict[str, Any]]:
        """As `Client.next_fires`, of this schedule."""
        return self._client.next_fires(self.workflow, limit, self.name)

    def enable(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let it fire by itself again, from now on: instants that passed meanwhile are not caught up."""
        return self._command("enable", reason, timeout)

    def disable(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let it not fire by itself, until it is enabled or its file changes."""
        return self._command("disable", reason, timeout)

    def fire(
        self, business_date: date | str | None = None, reason: str | None = None, *, timeout: float | None = ANSWER_S
    ) -> Answer:
        """Submit now what it submits: `Answer.result["submission_id"]`. Its times stay as they are.

        Args:
            business_date: of the instance; None: the session of now, or the latest that was.
        """
        day = None if business_date is None else str(business_date)
        return self._command("fire", reason, timeout, {"business_date": day})

    def set(
        self,
        times: Mapping[str, str | None] | None = None,
        *,
        reason: str | None = None,
        timeout: float | None = ANSWER_S,
        **more: str | None,
    ) -> Answer:
        """Let it fire at other times than its file says, from now on, until the file's schedule changes or `reset()`.

        Args:
            times, more: keys of a file, such as `cron="0 18 * * *"`: `cron`, `at`, `timezone`, `calendar`, `days`, `window`,
                `catchup`. What is left out is as the file says; None takes away what it says.
        """
        given = {**(times or {}), **more}
        return self._command("set_schedule", reason, timeout, {key: value or "" for key, value in given.items()})

    def reset(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let it fire as its file says again, from now on."""
        return self._command("reset_schedule", reason, timeout)

    def _command(
        self, action: str, reason: str | None, timeout: float | None, args: Mapping[str, str | None] | None = None
    ) -> Answer:
        asked = {"schedule": self.name, **(args or {})}
        asked = {key: value for key, value in asked.items() if value is not None}
        return self._client.command(action, workflow=self.workflow, args=asked or None, reason=reason, timeout=timeout)
