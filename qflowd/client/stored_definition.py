"""The controller of one task type or task definition, which nodes of workflows are made of."""

from typing import TYPE_CHECKING, Any

from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no

if TYPE_CHECKING:
    from qflowd.client.client import Client


class StoredDefinition:
    """A task type or definition in the database, as `Client.task_definition()` gives it; that it exists is asked only by its methods."""

    def __init__(self, client: "Client", name: str) -> None:
        self._client = client
        self.name = name

    def __repr__(self) -> str:
        return f"<qflowd.StoredDefinition {self.name}>"

    def info(self) -> dict[str, Any]:
        """Its row of the view `task_definitions`, archived or not; as `Client.task_definitions`.

        Raises: NotFound if there is none; StoreUnavailable.
        """
        rows = {row["name"]: row for row in self._client.task_definitions(with_archived=True)}
        if self.name not in rows:
            raise NotFound(there_is_no("task type or definition", self.name, rows, "definitions"))
        return rows[self.name]

    def archive(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let no new version of a workflow be made of it; versions that are made of it stay.

        `Answer.result["workflows"]` names those whose active version is made of it.

        Raises: as `Client.command`.
        """
        return self._client.command("archive_task", task=self.name, reason=reason, timeout=timeout)

    def unarchive(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let versions be made of it again, as it is stored; `Client.define_task` brings it back as well, changed.

        Raises: as `Client.command`.
        """
        return self._client.command("unarchive_task", task=self.name, reason=reason, timeout=timeout)
