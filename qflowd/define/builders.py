"""Workflows from Python code: the same keys, checks and faults as in a file, put together call by call."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from qflowd.define import documents, workflow_file
from qflowd.define.documents import Document
from qflowd.define.writing import dump_task
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Json, Task, Workflow

_SOURCE = "builder"


class TaskBuilder:
    """One task. Every `with_…` returns the builder; settings are written as in a file (`"10m"`, `"512MB"`)."""

    def __init__(self, key: str = "", job: str = "") -> None:
        self._key = key
        self._document: dict[str, Json] = {"job": job} if job else {}

    def with_id(self, key: str) -> Self:
        """The task's key."""
        self._key = key
        return self

    def with_name(self, title: str) -> Self:
        """The title that people see."""
        return self._with(title=title)

    def with_job(self, job: str) -> Self:
        """The name of the job that runs."""
        return self._with(job=job)

    def with_params(self, params: Mapping[str, Json] | None = None, **more: Json) -> Self:
        """Arguments of the job; texts may hold `{{ … }}`."""
        return self._with(params={**(params or {}), **more})

    def with_timeout(self, timeout: str | float) -> Self:
        """Longest run of one attempt: `"10m"`, or seconds."""
        return self._with(timeout=timeout)

    def with_retry(
        self,
        retries: int,
        *,
        delay: str | float | None = None,
        backoff: str | None = None,
        max_delay: str | float | None = None,
        jitter: float | None = None,
    ) -> Self:
        """Attempts after the first, and the wait between them."""
        return self._with(retries=retries, retry_delay=delay, backoff=backoff, retry_max_delay=max_delay, jitter=jitter)

    def with_pool(self, pool: str) -> Self:
        """The pool of worker slots."""
        return self._with(pool=pool)

    def with_priority(self, priority: int) -> Self:
        """-1000 to 1000, greater is sooner."""
        return self._with(priority=priority)

    def with_memory(self, memory: str | int) -> Self:
        """Most memory of its worker: `"512MB"`, or bytes."""
        return self._with(memory=memory)

    def build(self) -> Task:
        """The task.

        Raises: InvalidWorkflow with every fault.
        """
        return workflow_file.parse_task(Document(copy.deepcopy(self._document), _SOURCE), self._key)

    def _with(self, **values: Any) -> Self:
        self._document |= {name: value for name, value in values.items() if value is not None}
        return self

    def _entry(self) -> tuple[str, dict[str, Json]]:
        return self._key, copy.deepcopy(self._document)


class WorkflowBuilder:
    """A workflow. Every `with_…` returns the builder; `build` checks all of it at once."""

    def __init__(self, key: str = "") -> None:
        self._source = Document({}, _SOURCE)
        self._document: dict[str, Json] = {"workflow": key} if key else {}
        self._tasks: dict[str, dict[str, Json]] = {}

    def with_id(self, key: str) -> Self:
        """The workflow's key."""
        return self._with(workflow=key)

    def with_name(self, title: str) -> Self:
        """The title that people see."""
        return self._with(title=title)

    def with_description(self, description: str) -> Self:
        """What it is for."""
        return self._with(description=description)

    def with_cron(self, cron: str, timezone: str = "UTC", *, catchup: str = "none", enabled: bool = True) -> Self:
        """When it fires by itself; `catchup` is `none`, `last` or `all(n)`."""
        return self._with(schedule={"cron": cron, "timezone": timezone, "catchup": catchup, "enabled": enabled})

    def with_task(self, task: Task | TaskBuilder) -> Self:
        """Add a task, or replace the one of the same key."""
        key, document = task._entry() if isinstance(task, TaskBuilder) else (task.key, dump_task(task))  # noqa: SLF001
        self._tasks[key] = document
        return self

    def with_dependency(self, task: str, parent: str, condition: str | None = None) -> Self:
        """`task` waits for `parent` to end, and then for `condition` to hold."""
        entry = self._tasks.setdefault(task, {})
        after = entry.get("after", {})
        edges = after if isinstance(after, dict) else dict.fromkeys([after] if isinstance(after, str) else after, True)
        entry["after"] = {**edges, parent: True if condition is None else condition}
        return self

    def with_params(self, params: Mapping[str, Json] | None = None, **more: Json) -> Self:
        """Declared params: name -> JSON Schema with an optional `default`."""
        return self._with(params={**(params or {}), **more})

    def with_defaults(self, **settings: Json) -> Self:
        """Settings of all tasks that do not say otherwise, named as in a file: `retries=3, timeout="10m"`."""
        return self._with(defaults={**self._document.get("defaults", {}), **settings})

    def with_config_file(self, path: str | Path) -> Self:
        """Begin with the workflow file at `path`; other calls add to it or replace what it says.

        Raises: InvalidWorkflow if the file cannot be read.
        """
        self._source = documents.read_file(Path(path), InvalidWorkflow)
        data = copy.deepcopy(self._source.data)
        tasks = data.pop("tasks", None)
        self._document = data | self._document
        if isinstance(tasks, dict):
            self._tasks = tasks | self._tasks
        return self

    def build(self) -> Workflow:
        """The workflow.

        Raises: InvalidWorkflow with every fault.
        """
        data = copy.deepcopy({**self._document, "tasks": self._tasks})
        return workflow_file.parse_document(Document(data, self._source.file, self._source.lines))

    def _with(self, **values: Any) -> Self:
        self._document |= values
        return self
