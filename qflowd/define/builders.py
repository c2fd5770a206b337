"""Workflows from Python code: the same keys, checks and faults as in a file, put together call by call."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from qflowd.define import documents, workflow_file
from qflowd.define.documents import Document
from qflowd.define.writing import dump_task
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.plain import plain
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

    def with_definition(self, name: str) -> Self:
        """The task definition that it is made of, instead of a job."""
        return self._with(task=name)

    def with_workflow(self, workflow: str) -> Self:
        """The workflow that it starts an instance of, instead of a job."""
        return self._with(workflow=workflow)

    def with_params(self, params: Mapping[str, Json] | None = None, **more: Json) -> Self:
        """Arguments of the job; strings may hold `{{ … }}`."""
        return self._with(params={**(params or {}), **more})

    def with_trigger_rule(self, rule: str) -> Self:
        """Which ends of the tasks before it let it run: `all_success`, `all_done`, `any_success`, `none_failed`, `always`."""
        return self._with(trigger_rule=rule)

    def with_when(self, condition: str) -> Self:
        """An expression that must hold when the tasks before it let it run; else it is skipped."""
        return self._with(when=condition)

    def with_map(
        self,
        items: Sequence[Json] | str | None = None,
        *,
        chunk: int | None = None,
        max_parallel: int | None = None,
        label: str | None = None,
        fail_pct: float | None = None,
        min_ok: int | None = None,
    ) -> Self:
        """Run the job once for each item of a list, or of an expression that gives one; params know `item` and `index`.

        Args:
            items: None where it waits for another map item by item: then it has that one's list.
            chunk: items are lists of so many.
            max_parallel: how many items are open at a time.
            label: what an item is called.
            fail_pct, min_ok: the share of items that may fail, in percent, and how many must not, if that is not all.
        """
        tolerate = {"fail_pct": fail_pct, "min_ok": min_ok}
        tolerate = {name: value for name, value in tolerate.items() if value is not None}
        return self._with(map=items, chunk=chunk, max_parallel=max_parallel, label=label, tolerate=tolerate or None)

    def with_max_spawn(self, most: int) -> Self:
        """How many tasks an attempt may spawn by `context().spawn()`: 1 to 100,000; 1,000 if this is not called."""
        return self._with(max_spawn=most)

    def with_wait_for(
        self,
        *,
        signal: str | None = None,
        workflow: str | None = None,
        dataset: str | None = None,
        delay: str | float | None = None,
        until: str | None = None,
        approval: str | None = None,
        file: str | None = None,
        sql: str | None = None,
        **more: str | int | Mapping[str, Any],
    ) -> Self:
        """What must be so before it may begin: one of these; without a job, it does nothing but wait.

        Args:
            more: `business_date` of a workflow, `timeout` and `on_timeout` of that, a signal, a dataset, a file or a query,
                `stable`, `ok`, `checksum` and `at_least` of a file, `connection`, `params` and `every` of a query,
                `deadline` and `default` of an approval, as in a workflow file.
        """
        facts = {
            "signal": signal,
            "workflow": workflow,
            "dataset": dataset,
            "delay": delay,
            "until": until,
            "approval": approval,
            "file": file,
            "sql": sql,
        }
        return self._with(wait_for={name: value for name, value in facts.items() if value is not None} | more)

    def with_produces(self, dataset: str) -> Self:
        """The dataset of which its success is a new version, such as `cn_daily@{{ business_date }}`."""
        return self._with(produces=dataset)

    def with_run_on(self, when: str) -> Self:
        """`terminate`: a task with the rule `always` also runs once when its instance is terminated."""
        return self._with(run_on=when)

    def with_on_failure(self, what: str) -> Self:
        """`fail`: its failure fails the instance; `continue`: the tasks that depend on it run without its output."""
        return self._with(on_failure=what)

    def with_timeout(self, timeout: str | float) -> Self:
        """Longest run of one attempt: `"10m"`, or seconds."""
        return self._with(timeout=timeout)

    def with_retry(
        self,
        retries: int | None = None,
        *,
        delay: str | float | None = None,
        backoff: str | None = None,
        max_delay: str | float | None = None,
        jitter: float | None = None,
        manual: bool = False,
    ) -> Self:
        """Attempts after the first, and the wait between them; `manual`: after the last it waits for a person."""
        waits = {"retry_delay": delay, "backoff": backoff, "retry_max_delay": max_delay, "jitter": jitter}
        return self._with(retries=retries, retry="manual" if manual else None, **waits)

    def with_pool(self, pool: str) -> Self:
        """The pool of worker slots."""
        return self._with(pool=pool)

    def with_priority(self, priority: int) -> Self:
        """-1000 to 1000, greater is sooner."""
        return self._with(priority=priority)

    def with_memory(self, memory: str | int) -> Self:
        """Most memory of its worker: `"512MB"`, or bytes."""
        return self._with(memory=memory)

    def with_limits(self, limits: Mapping[str, int]) -> Self:
        """Slots that each attempt takes of what all daemons share: `{"vendor:tushare": 1}`."""
        return self._with(limits=dict(limits))

    def with_compensation(self, job: str | None = None, *, on: str | None = None) -> Self:
        """The job that undoes it, if not the one that its own job names; `on="success"`: only if the task succeeded."""
        return self._with(compensate=job, compensate_on=on)

    def build(self) -> Task:
        """The task.

        Raises: InvalidWorkflow with every fault.
        """
        return workflow_file.parse_task(_document(self._document, Document({}, _SOURCE)), self._key)

    def written(self) -> tuple[str, dict[str, Json]]:
        """The key, and what a file would hold under it; not checked."""
        return self._key, copy.deepcopy(self._document)

    def _with(self, **values: Any) -> Self:
        self._document |= {name: value for name, value in values.items() if value is not None}
        return self


class WorkflowBuilder:
    """A workflow. Every `with_…` returns the builder; `build` checks all of it at once."""

    def __init__(self, key: str = "") -> None:
        self._source = Document({}, _SOURCE)
        self._document: dict[str, Json] = {"workflow": key} if key else {}
        self._tasks: dict[str, Json] = {}
        self._edges: list[tuple[str, str, str | Mapping[str, Json] | None]] = []

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

    def with_calendar(self, calendar: str) -> Self:
        """The calendar that its expressions ask for sessions, such as `XSHG`."""
        return self._with(calendar=calendar)

    def with_duplicates(self, *, allowed: bool = True) -> Self:
        """Whether it has any number of instances for a business date, as `allow_duplicates` says in a file."""
        return self._with(allow_duplicates=allowed)

    def with_expectation(self, expect_by: str) -> Self:
        """By when the run for a business date is to have succeeded, such as `close+2h`; past that it is late."""
        return self._with(expect_by=expect_by)

    def with_deadline(self, deadline: str) -> Self:
        """When the run for a business date is stopped, such as `close+4h` or `20:30`."""
        return self._with(deadline=deadline)

    def with_sessions(
        self, calendar: str, at: str, days: str = "", *, catchup: str = "none", enabled: bool = True
    ) -> Self:
        """It fires `at` a time of each session of a calendar, such as `close+30m`; `days` as `last session of month`."""
        schedule = {"calendar": calendar, "at": at, "catchup": catchup, "enabled": enabled}
        return self._with(schedule=schedule | ({"days": days} if days else {}))

    def with_schedule(self, name: str, **keys: Json) -> Self:
        """One of several schedules, by its name and the keys of a file: `cron="0 9 * * *", params={"part": "am"}`."""
        return self._with(schedules={**self._document.get("schedules", {}), name: keys})

    def with_task(self, task: Task | TaskBuilder) -> Self:
        """Add a task, or replace the one of the same key."""
        key, document = task.written() if isinstance(task, TaskBuilder) else (task.key, dump_task(task))
        self._tasks[key] = document
        return self

    def with_dependency(self, task: str, parent: str, condition: str | Mapping[str, Json] | None = None) -> Self:
        """`task` waits for `parent` to end, and then for `condition` to hold, as in a file.

        `"each"`: map behind map, item by item. `{"on": "breaker_open"}`: it runs instead of `parent` (see `docs/guide.md`).
        """
        self._edges.append((task, parent, condition))
        return self

    def with_saga(self, name: str | None = None, *, retries: int | None = None, order: str = "reverse") -> Self:
        """Undo what its tasks did when it fails; `order` is `reverse` or `serial` (one compensation at a time)."""
        return self._with(saga={"name": name, "retries": retries, "order": order})

    def with_params(self, params: Mapping[str, Json] | None = None, **more: Json) -> Self:
        """Declared params: name -> JSON Schema with an optional `default`."""
        return self._with(params={**(params or {}), **more})

    def with_concurrency(self, policy: str | None = None, *, max: int | None = None, keyed: str | None = None) -> Self:
        """How many instances run at once, and what becomes of one more, as in a file: `"singleton(skip)"`."""
        values = {"policy": policy, "max": max, "keyed": keyed}
        return self._with(concurrency={name: value for name, value in values.items() if value is not None})

    def with_outputs(self, outputs: Mapping[str, Json] | None = None, **more: Json) -> Self:
        """What a task that starts it returns: values, with expressions over the outputs of its tasks."""
        return self._with(outputs={**(outputs or {}), **more})

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
        tasks = copy.deepcopy(self._tasks)
        for task, parent, condition in self._edges:
            entry = tasks.setdefault(task, {})
            after = entry.get("after", {})
            listed = [after] if isinstance(after, str) else after
            edges = listed if isinstance(listed, dict) else dict.fromkeys(listed, True)
            entry["after"] = {**edges, parent: True if condition is None else condition}
        return workflow_file.parse_document(_document({**self._document, "tasks": tasks}, self._source))

    def _with(self, **values: Any) -> Self:
        self._document |= values
        return self


def _document(data: dict[str, Json], source: Document) -> Document:
    """`data` by the same road as a file, through text; lines are those of `source`."""
    try:
        text = json.dumps(plain(data))
    except ValueError as error:
        raise InvalidWorkflow([Fault(source.file, 0, "", str(error))]) from None
    return Document(documents.read(text, "json", source.file, InvalidWorkflow).data, source.file, source.lines)
