"""The client: submits, commands and looks, through the public inboxes and views, over whichever transport."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from qflowd.client import requests
from qflowd.client.backfill import Backfill
from qflowd.client.instance import Instance
from qflowd.client.limit import Limit
from qflowd.client.polling import ANSWER_S, poll
from qflowd.client.records import Answer, Breakpoint
from qflowd.client.stored_definition import StoredDefinition
from qflowd.client.stored_schedule import StoredSchedule
from qflowd.client.stored_workflow import StoredWorkflow
from qflowd.client.views import Views
from qflowd.client.why import Why, why
from qflowd.define import rows
from qflowd.define.documents import Format
from qflowd.model.errors import NotFound, Rejected
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.names import DEFAULT_TENANT

if TYPE_CHECKING:
    from qflowd.calendars.day_overrides import OverrideKind
    from qflowd.store.tx import Store

PROGRESS_S: Final = 1.0  # how often one for many instances is asked how far it has come


class Client(Views):
    """The client of one tenant, over a database or an HTTP API. Made by `qflowd.connect()`; a context manager that closes it.

    Neither shows nor commands what belongs to other tenants; jobs, plugins, daemons and pools are everybody's. May be
    shared by threads: each gets a connection of its own at its first call. Not by processes after a fork.
    After StoreUnavailable the next call connects again.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads."""
        self.transport.close()

    @property
    def store(self) -> "Store":
        """The database, for transactions of your own that read or write more than a client does.

        Raises: InvalidRequest of a client over HTTP.
        """
        return self.transport.store

    def submit(  # noqa: PLR0913 - one argument per column of the inbox
        self,
        workflow: str | None = None,
        *,
        job: str | None = None,
        params: Mapping[str, Any] | None = None,
        version: int | None = None,
        name: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        business_date: date | str | None = None,
        priority: int = 0,
        run_at: datetime | str | None = None,
        hold: bool = False,
        allow_duplicates: bool = False,
        idempotency_key: str | None = None,
        trigger_type: str = "sdk",
    ) -> Instance:
        """Ask for one run of `workflow`, or of the single `job`; returns at once, whether a daemon runs or not.

        Args:
            params: JSON values by name; dates and instants become ISO strings.
            version: of the workflow; default the active one.
            overrides: `{"tasks": {"bars": {"params": {…}, "timeout": "5m", "retries": 1}}}`.
            priority: -1000 to 1000, greater is sooner.
            run_at: not before this instant; a string without an offset is UTC.
            hold: make the instance, and start it only when it is resumed.
            allow_duplicates: run it though the workflow has an instance for this business date.
            idempotency_key: a second submission with the same key and content becomes the first's instance. With a
                key, a call that ended in StoreUnavailable can be repeated without harm.

        Raises: InvalidRequest if it cannot mean anything; StoreUnavailable (it may have been written). What the
            engine refuses shows at `Instance.wait()`.
        """
        row = requests.submission(
            params,
            overrides,
            business_date,
            run_at,
            name,
            idempotency_key,
            tenant=self.tenant,
            workflow=workflow,
            job=job,
            version=version,
            priority=priority,
            hold=int(hold),
            allow_duplicates=int(allow_duplicates),
            trigger_type=trigger_type,
        )
        return Instance(self, self.transport.submit(row), (workflow, row["business_date"]))

    def signal(
        self,
        name: str,
        payload: Any = None,
        *,
        business_date: date | str | None = None,
        expires_at: datetime | str | None = None,
    ) -> int:
        """Tell all that wait for it, now or later, that something is so; returns the signal's id at once.

        Args:
            name: such as `bars.ready/2026-11-20`; of several signals of a name the first one wakes, the others are kept.
            payload: a JSON value: the output of a task that only waits for it.
            business_date: it is then for instances of that date alone.
            expires_at: who begins to wait from then on does not see it.

        Raises: InvalidRequest if it cannot mean anything; StoreUnavailable (it may have been written).
        """
        return self.transport.signal(requests.signal(name, payload, business_date, expires_at, self.tenant))

    def command(  # noqa: PLR0913 - the columns of the inbox, by name
        self,
        action: str,
        instance_id: int | None = None,
        *,
        workflow: str | None = None,
        task: str | None = None,
        task_id: int | None = None,
        filter: Mapping[str, Any] | None = None,
        args: Mapping[str, Any] | None = None,
        reason: str | None = None,
        timeout: float | None = ANSWER_S,
        on_progress: Callable[[Any], None] | None = None,
    ) -> Answer:
        """Ask the daemons for `action` (`docs/sql-contract.md` lists them), and wait for their answer.

        Args:
            filter: instead of an instance or a workflow, such as {"state": "FAILED", "workflow": "daily_*", "since": "2d"}.
            args: what the action needs beside its target; {"dry_run": True} only tells what would be done to instances.
            timeout: seconds to wait, anew whenever a command for many instances has come further; 0 returns at once
                (state NEW), None waits for ever.
            on_progress: called with the result so far of a command for many instances.

        Raises: Rejected with the answer's error; TimeoutError if no daemon has answered: the command is
            still there, and is carried out when a daemon comes. InvalidRequest, StoreUnavailable.
        """
        row: dict[str, Any] = {
            "tenant": self.tenant,
            "action": action,
            "instance_id": instance_id,
            "workflow": workflow,
            "task": task,
            "task_id": task_id,
            "filter": requests.json_text(filter, "filter"),
            "args": requests.json_text(args, "args"),
            "reason": reason,
            "requested_by": requests.who(),
        }
        requests.refuse(rows.read_command(row)[1])
        number = self.transport.command(row)
        if timeout == 0:
            return Answer(number, action, "NEW", None)

        try:
            answer = self._wait_for_answer(number, timeout, on_progress)
        except TimeoutError:
            why = "no daemon is running; `qflowd run` starts one, which will carry it out"
            if self.daemons():
                why = f"no daemon has answered within {timeout:g} s; it stays in the inbox"
            raise TimeoutError(f"{action} is asked for (command {number}), but {why}") from None
        if answer.state == "REJECTED":
            raise Rejected(answer.error or f"{action} was rejected")
        return Answer(number, action, answer.state, answer.result)

    def _wait_for_answer(self, number: int, timeout: float | None, on_progress: Callable[[Any], None] | None) -> Any:
        """The row of a command once it is answered. Raises: TimeoutError if nothing was heard of it for so long."""
        seen: Any = None

        def ask(wait_s: float) -> Any:
            row = self.read_one("show_command", id=number, wait_s=wait_s)
            return row if row.answered_at is not None or row.result != seen else None

        while (row := poll(ask, timeout, longest_s=0.2, held_s=PROGRESS_S)).answered_at is None:
            seen = row.result
            if on_progress is not None:
                on_progress(seen)
        return row

    def instance(self, instance_id: int) -> Instance:
        """The controller of an instance that was submitted before.

        Raises: NotFound if nothing of this tenant was ever submitted under this id; InvalidRequest for what cannot be an id.
        """
        instance_id = requests.whole(instance_id, "instance_id", -math.inf, math.inf)
        names = ("show_submission", "show_state") if 1 <= instance_id <= LARGEST_INSTANCE else ()
        if not any(self.read_one(name, id=instance_id) for name in names):
            whose = "" if self.tenant == DEFAULT_TENANT else f" of tenant {self.tenant}"
            raise NotFound(f"there is no instance {instance_id}{whose}; `qflowd ps` lists what there is")
        return Instance(self, instance_id)

    def why(self, id: int, task: str | None = None) -> Why:
        """What keeps an instance, or one of its tasks, from continuing; `str()` of it is one sentence.

        Args:
            id: of an instance, or of a task (column `id` of the view `tasks`).
            task: only with an instance: its task; an item of a map is `bars[AAPL]` (its label) or `bars[17]` (its index).

        Raises: NotFound if there is no such instance or task.
        """
        return why(self, id, task)

    def breakpoint(self, instance_id: int) -> Breakpoint:
        """Where an instance stands, as `Instance.breakpoint()` says.

        Raises: NotFound, also if no daemon has taken it yet; Rejected if the engine refused it.
        """
        return self.instance(instance_id).breakpoint()

    def workflow(self, workflow: str) -> StoredWorkflow:
        """The controller of a workflow: its versions, and which of them runs."""
        return StoredWorkflow(self, workflow)

    def schedule(self, workflow: str, name: str | None = None) -> StoredSchedule:
        """The controller of a schedule of a workflow; it need not be named where there is one alone."""
        return StoredSchedule(self, workflow, name)

    def task_definition(self, name: str) -> StoredDefinition:
        """The controller of a task type or a task definition."""
        return StoredDefinition(self, name)

    def define_task(
        self,
        document: str | Mapping[str, Any],
        format: Format = "yaml",
        reason: str | None = None,
        *,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Store a task type or task definition, new or changed.

        Each workflow that is made of it gets a new version: `Answer.result["workflows"]` names them.

        Args:
            document: what its file would hold: text in `format`, or a mapping such as {"task": "us_bars", "type": "bars"}.

        Raises: as `command`; Rejected with every fault: then nothing has changed.
        """
        return self.command("define_task", args=requests.source_of(document, format), reason=reason, timeout=timeout)

    def override_day(
        self,
        calendar: str,
        day: date | str,
        kind: "OverrideKind",
        reason: str,
        *,
        hours: str | None = None,
        close: str | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Say that a day of a calendar is `closed`, `open` or a `half` day, whatever its file says, until `restore_day`.

        Schedules are planned anew at once: `Answer.result["moved"]` says how many.

        Args:
            calendar: of an exchange, whose products follow, or of a product.
            day: one that the calendar knows, such as `2026-12-31`.
            hours: such as `09:30-11:30 13:00-15:00`; of a day that is open those of every session if left out.
            close: of a half day instead of hours, at which it closes, such as `12:00`.

        Raises: as `command`.
        """
        asked = {"calendar": calendar, "day": str(day), "kind": kind, "hours": hours, "close": close}
        args = {name: value for name, value in asked.items() if value is not None}
        return self.command("override_day", args=args, reason=reason, timeout=timeout)

    def restore_day(
        self, calendar: str, day: date | str, reason: str | None = None, *, timeout: float | None = ANSWER_S
    ) -> Answer:
        """Let a day of a calendar be what its file says. Raises: as `command`."""
        args = {"calendar": calendar, "day": str(day)}
        return self.command("restore_day", args=args, reason=reason, timeout=timeout)

    def backfill(self, id: int) -> Backfill:
        """The controller of a backfill; `workflow(key).backfill()` makes one. That it exists is asked only by its methods."""
        return Backfill(self, requests.whole(id, "id", most=LARGEST_INSTANCE))

    def import_calendar(  # noqa: PLR0913 - the args of the command, by name
        self,
        document: Mapping[str, Any] | None = None,
        reason: str | None = None,
        *,
        csv: str | None = None,
        calendar: str | None = None,
        timezone: str | None = None,
        title: str | None = None,
        first: date | str | None = None,
        last: date | str | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Store a calendar of this tenant, new or changed; schedules that go by it are planned anew.

        Args:
            document: what a file of calendars holds, or `{"calendar": "BOTH", "all_of": ["XSHG", "XHKG"]}`, or `any_of`.
            csv: instead of a document: lines of a day, and perhaps its hours; with `calendar` and `timezone`.
            first, last: what the list speaks of; its first and last day if left out. Past `last` nothing is known.

        Raises: as `command`; Rejected names the line that is wrong, and then nothing has changed.
        """
        about = {"calendar": calendar, "timezone": timezone, "title": title, "first": first, "last": last}
        args: dict[str, Any] = {name: str(value) for name, value in about.items() if value is not None}
        args |= {name: value for name, value in (("document", document), ("csv", csv)) if value is not None}
        return self.command("import_calendar", args=args, reason=reason, timeout=timeout)

    def remove_calendar(self, calendar: str, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Forget a calendar of this tenant. Raises: as `command`; Rejected while a schedule goes by it."""
        return self.command("remove_calendar", args={"calendar": calendar}, reason=reason, timeout=timeout)

    def limit(self, name: str) -> Limit:
        """The controller of a limit that all tenants share: how large it is, and whether it is paused."""
        return Limit(self, name)
