"""The controller of one workflow: its versions, which of them runs, and whether any does."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from qflowd.client import requests
from qflowd.client.polling import ANSWER_S
from qflowd.client.records import Answer
from qflowd.define import stored
from qflowd.define.differences import Difference, differences
from qflowd.define.documents import Format
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no
from qflowd.model.workflow import Workflow

if TYPE_CHECKING:
    from qflowd.client.client import Client


class StoredWorkflow:
    """A workflow in the database, as `Client.workflow()` gives it; that it exists is asked only by its methods."""

    def __init__(self, client: "Client", key: str) -> None:
        self._client = client
        self.key = key

    def __repr__(self) -> str:
        return f"<qflowd.StoredWorkflow {self.key}>"

    def versions(self) -> list[dict[str, Any]]:
        """Rows of the view `versions` without `source_text` and `document`, newest first.

        Raises: NotFound if there is no such workflow; StoreUnavailable.
        """
        rows = [row._asdict() for row in self._client.read_all("list_versions", workflow=self.key)]
        if not rows:
            names = [row["workflow"] for row in self._client.workflows(with_archived=True)]
            raise NotFound(there_is_no("workflow", self.key, names, "workflows"))
        return rows

    def version(self, version: int) -> Workflow:
        """One version, as it was stored.

        Raises: NotFound; InvalidWorkflow if a newer qflowd has stored it.
        """
        row = self._client.read_one("show_version_document", workflow=self.key, version=version)
        if row is None:
            newest = self.versions()[0]["version"]
            raise NotFound(f"workflow {self.key!r} has no version {version}; the newest is {newest}")
        return stored.read(row.document, f"version {version} of {self.key}")

    def diff(self, before: int, after: int) -> list[Difference]:
        """What changed from one version to another, task by task; comments and the order of keys do not count.

        Raises: NotFound; InvalidWorkflow if a newer qflowd has stored one of them.
        """
        return differences(self.version(before), self.version(after))

    def backfill(  # noqa: PLR0913 - what its command takes, by name
        self,
        first: date | str,
        last: date | str,
        *,
        calendar: str | None = None,
        only_missing: bool = False,
        order: Literal["oldest", "newest"] = "oldest",
        max_active: int | None = None,
        priority: int | None = None,
        params: Mapping[str, Any] | None = None,
        window: str | None = None,
        dry_run: bool = False,
        reason: str | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Run it for each date from `first` to `last`, a few at a time: `client.backfill(answer.result["backfill"])`.

        Args:
            calendar: whose sessions are the dates; default the workflow's; if it has none, all days.
            only_missing: leave out dates with a good run, or an open one.
            max_active: runs that are open at once, 1 to 1,000; default 4.
            priority: of its runs, -1000 to 1000; default -100, so that they come behind others.
            window: times of day at which it submits, in the zone of the calendar, such as "22:00-06:00".
            dry_run: only tell the dates: `result["list"]`; `result["covered"]` of the range have a good or an open run.

        Raises: as `Client.command`.
        """
        args = {
            "from": str(first),
            "to": str(last),
            "calendar": calendar,
            "order": order,
            "max_active": max_active,
            "priority": priority,
            "params": params,
            "window": window,
            "only_missing": only_missing or None,
            "dry_run": dry_run or None,
        }
        given = {name: value for name, value in args.items() if value is not None}
        return self._client.command("backfill", workflow=self.key, args=given, reason=reason, timeout=timeout)

    def activate(self, version: int, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let new instances run this version, until the workflow's file changes.

        Raises: as `Client.command`.
        """
        return self._command("activate", reason, timeout, {"version": version})

    def rollback(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Activate the version that the active one has replaced; repeated, it goes further back.

        Raises: as `Client.command`.
        """
        return self._command("rollback", reason, timeout)

    def draft(
        self,
        document: str | Mapping[str, Any] | Workflow,
        format: Format = "yaml",
        reason: str | None = None,
        *,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Store what a workflow file would hold as a DRAFT, the next version: `Answer.result["version"]` is its number.

        Args:
            document: text in `format`, a mapping, or what a `WorkflowBuilder` has built.

        Raises: as `Client.command`; Rejected with every fault of the text.
        """
        return self._command("draft", reason, timeout, requests.source_of(document, format))

    def canary(
        self, version: int, share: float, reason: str | None = None, *, timeout: float | None = ANSWER_S
    ) -> Answer:
        """Let a share (above 0, below 1) of new instances run a version, until another is activated or `end_canary`.

        Raises: as `Client.command`.
        """
        return self._command("canary", reason, timeout, {"version": version, "share": share})

    def end_canary(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let all new instances run the active version.

        Raises: as `Client.command`.
        """
        return self._command("end_canary", reason, timeout)

    def archive(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Take no more submissions and fire no more; open instances run to their end.

        `Answer.result` counts the `open_instances`, and names the `workflows` whose tasks start it: those will fail.

        Raises: as `Client.command`.
        """
        return self._command("archive", reason, timeout)

    def unarchive(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Take submissions again, and fire from now on.

        Raises: as `Client.command`.
        """
        return self._command("unarchive", reason, timeout)

    def pause(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Let its schedule and its instances stand still, or hold one task in all instances, later ones included.

        Raises: as `Client.command`.
        """
        return self._command("pause", reason, timeout, task=task)

    def resume(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Undo `pause`; what was paused separately stays so.

        Raises: as `Client.command`.
        """
        return self._command("resume", reason, timeout, task=task)

    def retry(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Retry its failed instances, or this task of them.

        Raises: as `Client.command`.
        """
        return self._command("retry", reason, timeout, task=task)

    def trigger(
        self,
        task: str,
        reason: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Run one task of it alone, in a new instance that skips all others: `Answer.result["instance_id"]`.

        Args:
            params: of the instance.

        Raises: as `Client.command`.
        """
        return self._command("trigger", reason, timeout, {"params": dict(params)} if params else None, task=task)

    def _command(
        self,
        action: str,
        reason: str | None,
        timeout: float | None,
        args: dict[str, Any] | None = None,
        task: str | None = None,
    ) -> Answer:
        return self._client.command(action, workflow=self.key, task=task, args=args, reason=reason, timeout=timeout)
