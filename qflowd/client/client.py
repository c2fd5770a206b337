"""The client: submits, commands and looks, through the public inboxes and views."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, Self

from qflowd.client import requests
from qflowd.client.failures import find_failures
from qflowd.client.instance import Instance
from qflowd.client.limit import Limit
from qflowd.client.polling import poll
from qflowd.client.records import Answer, Breakpoint
from qflowd.client.stored_definition import StoredDefinition
from qflowd.client.stored_workflow import StoredWorkflow
from qflowd.client.views import Views
from qflowd.client.why import Why, why
from qflowd.define import rows
from qflowd.define.documents import Format
from qflowd.model import jsontext
from qflowd.model.errors import InvalidRequest, NotFound, Rejected
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.names import DEFAULT_TENANT, fault_in_key
from qflowd.model.states import InstanceState
from qflowd.store.tx import DataRefused, Store

ANSWER_S: Final = 30.0  # how long a command waits for a daemon to answer


class Client(Views):
    """The client of one tenant of a qflowd database. Made by `qflowd.connect()`; a context manager that closes it.

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
        self.store.close()

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
            trigger_type=trigger_type,
        )
        return Instance(self, self._insert("insert_submission", row))

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
            "reason": None if reason is None else jsontext.clean_text(reason),
            "requested_by": requests.who(),
        }
        requests.refuse(rows.read_command(row)[1])
        number = self._insert("insert_command", row)
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

        def ask() -> Any:
            row = self.read_one("show_command", id=number)
            return row if row.answered_at is not None or row.result != seen else None

        while (row := poll(ask, timeout, longest_s=0.2)).answered_at is None:
            seen = row.result
            if on_progress is not None:
                on_progress(seen)
        return row

    def instance(self, instance_id: int) -> Instance:
        """The controller of an instance that was submitted before.

        Raises: NotFound if nothing of this tenant was ever submitted under this id.
        """
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

    def limit(self, name: str) -> Limit:
        """The controller of a limit that all tenants share: how large it is, and whether it is paused."""
        return Limit(self, name)

    def history(self, workflow: str, limit: int = 20) -> list[InstanceInfo]:
        """The latest instances of a workflow (or of a job submitted by itself), newest first.

        Args:
            limit: how many at most, from 1.
        """
        return list(self.instances(workflow=workflow, limit=limit))

    def instances(
        self, *, workflow: str | None = None, state: str | None = None, limit: int | None = None
    ) -> Iterator[InstanceInfo]:
        """Instances, newest first; read a page at a time as they are asked for.

        Args:
            workflow: only of this workflow or single job.
            state: only in this state, such as FAILED; OPEN means all that have not ended.
            limit: how many at most; None for all.

        Raises: InvalidRequest for a state that does not exist.
        """
        if state is not None and state not in STATES:
            raise InvalidRequest(f"there is no state {state!r}; there are {', '.join(STATES)}")
        first, last = STATES[state] if state else (0, int(max(InstanceState)))
        name, where = "find_instances", dict[str, Any](first=first, last=last)
        if workflow is not None:
            name, where = "find_instances_of", where | {"workflow": workflow}
        elif state == "OPEN":
            name, where = "find_open_instances", {}
        left, before = sys.maxsize if limit is None else limit, LARGEST_INSTANCE + 1
        while left > 0 and (rows := self.read_all(name, before=before, batch=min(left, PAGE), **where)):
            yield from (InstanceInfo(*row) for row in rows)
            left, before = left - len(rows), rows[-1].id

    def failures(
        self, conditions: Mapping[str, Any] | None = None, *, handled: bool = False, limit: int | None = None
    ) -> Iterator[FailureInfo]:
        """Failed tasks that nobody has handled, those of the newest instances first; read a page at a time.

        Args:
            conditions: as in a command's filter, such as {"workflow": "daily_*", "error_class": "*Timeout", "since": "2d"}.
            handled: those instead that a person has handled, as `HandledFailureInfo`.
            limit: how many at most; None for all.

        Raises: InvalidRequest for a condition that does not exist, or cannot be read.
        """
        return find_failures(self, conditions or {}, handled=handled, limit=limit)

    def count_new(self) -> int:
        """How many submissions no daemon has taken yet."""
        return int(self.read_one("count_new").submissions)

    def active_version(self, workflow: str) -> Any:
        """`version`, `document`, `source_text`, `format` and `hash` of the active version of a workflow; None if there is none."""
        return self.read_one("show_active_version", workflow=workflow)

    def workflows(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `workflows`, files that could not be read among them."""
        return [row for row in self._list("list_workflows") if with_archived or row["archived_at"] is None]

    def task_definitions(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `task_definitions`, types among them, without `source_text`; `document` is a mapping."""
        rows = [row | {"document": from_json(row["document"])} for row in self._list("list_task_definitions")]
        return [row for row in rows if with_archived or row["archived_at"] is None]

    def schedules(self, *, with_archived: bool = False) -> list[dict[str, Any]]:
        """Rows of the view `schedules`."""
        return [row for row in self._list("list_schedules") if with_archived or row["archived_at"] is None]

    def fires(self, workflow: str, limit: int = 20) -> list[dict[str, Any]]:
        """The latest rows of the view `fires`: when the schedule of a workflow fired, and what came of it."""
        return self._list("list_fires", workflow=workflow, batch=limit)

    def jobs(self) -> list[dict[str, Any]]:
        """Rows of the view `jobs`."""
        return self._list("list_jobs")

    def plugins(self) -> list[dict[str, Any]]:
        """Plugin files as each live daemon sees them."""
        return self._list("list_plugins")

    def daemons(self) -> list[dict[str, Any]]:
        """Rows of the view `daemons`: those whose lease has not run out."""
        return self._list("list_daemons")

    def pools(self) -> list[dict[str, Any]]:
        """Rows of the view `pools`, a row per pool and daemon."""
        return self._list("list_pools")

    def limits(self) -> list[dict[str, Any]]:
        """Rows of the view `limits`."""
        return self._list("show_limits")

    def read_all(self, statement: str, **params: Any) -> list[Any]:
        """Rows of a statement, of this tenant where it asks for one, with plain Python values."""
        return list(map(plain_row, self.store.read(lambda tx: tx.run(statement, tenant=self.tenant, **params))))

    def read_one(self, statement: str, **params: Any) -> Any:
        """The first row of a statement, or None; as `read_all`."""
        return next(iter(self.read_all(statement, **params)), None)

    def _list(self, statement: str, **params: Any) -> list[dict[str, Any]]:
        return [row._asdict() for row in self.read_all(statement, **params)]

    def _insert(self, statement: str, row: Mapping[str, Any]) -> int:
        """Add a row to an inbox; its id."""
        try:
            return self.store.transact(lambda tx: int(tx.one(statement, **row).id))
        except DataRefused as error:
            raise InvalidRequest(f"the database refuses these values: {error}") from error
