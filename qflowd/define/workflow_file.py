"""Workflow files: from a document to the `Workflow` that it describes, with all faults at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from msgspec.structs import replace

from qflowd.define import documents
from qflowd.define.children import check_child
from qflowd.define.concurrency import read_concurrency
from qflowd.define.datasets import read_dataset
from qflowd.define.documents import Document, Format
from qflowd.define.expectations import read_expected_time, with_expectations
from qflowd.define.fields import Fields
from qflowd.define.finally_tasks import with_ends
from qflowd.define.item_by_item import BREAKER_OPEN, EACH, with_lists
from qflowd.define.readers import Reader, flag, key_text, kind, mapping, number, one_of, short_text, strings, whole
from qflowd.define.schedules import read_schedule, read_schedules
from qflowd.define.settings import read_settings
from qflowd.define.waits import check_wait, read_wait
from qflowd.define.workflow_check import (
    check_calendar,
    check_concurrency,
    check_defaults,
    check_outputs,
    check_params,
    check_schedules,
    check_tasks,
)
from qflowd.model.durations import parse_duration
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.names import fault_in_task_key
from qflowd.model.workflow import (
    MOST_SPAWNED,
    Edge,
    Json,
    OnFailure,
    Saga,
    Settings,
    Task,
    Tolerance,
    TriggerRule,
    Workflow,
)

MOST_TASKS: Final = 100_000

_LATER_KEYS: Final = frozenset({
    "allow_failure", "approval", "business_date", "compensation",
    "deadline", "delay", "misfire_grace", "on", "overlap", "quota", "sensor",
    "signal", "window",
})  # fmt: skip

MAP_KEYS: Final[Mapping[str, Reader[Any]]] = {
    "chunk": whole(1, 1_000_000),
    "max_parallel": whole(1, 1_000_000),
    "label": short_text(200),
    "tolerate": mapping,
}

_INSTEAD_OF_A_JOB: Final = ("task", "workflow", "wait_for")
_trigger_rule: Final = one_of(*get_args(TriggerRule))
_on_failure: Final = one_of(*get_args(OnFailure))


def parse(text: str | bytes, format: Format, file: str) -> Workflow:
    """The workflow that `text` describes; `file` names it in faults. An unknown job is not a fault here.

    Raises: InvalidWorkflow with every fault.
    """
    return parse_document(documents.read(text, format, file, InvalidWorkflow))


def parse_file(path: Path) -> Workflow:
    """The workflow in the file at `path`.

    Raises: InvalidWorkflow with every fault.
    """
    return parse_document(documents.read_file(path, InvalidWorkflow))


def parse_document(document: Document) -> Workflow:
    """The workflow that `document` describes.

    Raises: InvalidWorkflow with every fault.
    """
    top = Fields.of(document)
    workflow = Workflow(
        key=top.need("workflow", key_text("workflow key"), ""),
        title=top.take("title", short_text(200), ""),
        description=top.take("description", short_text(20_000), ""),
        domain=top.take("domain", short_text(200), ""),
        type=top.take("type", short_text(200), ""),
        tags=top.take("tags", _tags, ()),
        enabled=top.take("enabled", flag, True),
        params=top.take("params", mapping, None),  # None and {} differ: anything goes, and nothing does
        defaults=_defaults(top.section("defaults")),
        calendar=top.take("calendar", short_text(200), ""),
        allow_duplicates=top.take("allow_duplicates", flag, False),
        expect_by=read_expected_time(top, "expect_by"),
        deadline=read_expected_time(top, "deadline"),
        schedule=read_schedule(top),
        schedules=read_schedules(top),
        timeout=top.take("timeout", parse_duration, None),
        concurrency=read_concurrency(top),
        saga=_saga(top),
        outputs=top.take("outputs", mapping, None),
        tasks=_tasks(top),
    )
    top.close(_LATER_KEYS)
    workflow = with_expectations(top, _with_calendar(workflow))
    check_calendar(top, workflow)
    check_params(top, workflow.params, has_calendar=bool(workflow.calendar))
    check_defaults(top.section("defaults"), workflow)
    check_schedules(top, workflow)
    check_concurrency(top, workflow)
    check_tasks(top.section("tasks"), workflow)
    check_outputs(top, workflow)
    if top.faults:
        raise InvalidWorkflow(top.faults)
    return workflow


def parse_task(document: Document, key: str) -> Task:
    """The task `key` that `document` describes, by itself: parents and expressions are judged with the workflow.

    Raises: InvalidWorkflow with every fault.
    """
    fields = Fields.of(document)
    task = _task(key, fields)
    if fields.faults:
        raise InvalidWorkflow(fields.faults)
    return task


def _with_calendar(workflow: Workflow) -> Workflow:
    """With the calendar that it does not name: that of its schedules, if it is one."""
    names = {schedule.calendar for schedule in workflow.named_schedules.values()} - {""}
    if workflow.calendar or len(names) != 1:
        return workflow
    return replace(workflow, calendar=names.pop())


def _defaults(fields: Fields) -> Settings:
    settings = read_settings(fields)
    fields.close(_LATER_KEYS)
    return settings


def _tasks(top: Fields) -> tuple[Task, ...]:
    nothing: dict[str, Json] = {}
    count = len(top.need("tasks", _written_tasks, nothing))
    if count > MOST_TASKS:
        top.fault(f"holds {count:,} tasks; at most {MOST_TASKS:,} are allowed", "tasks")
        return ()
    return with_ends(with_lists(tuple(_task(key, fields) for key, fields in top.section("tasks").sections())))


def _written_tasks(value: Json) -> dict[str, Json]:
    if value == {}:
        raise ValueError("holds no task")
    return mapping(value)


def _task(key: str, fields: Fields) -> Task:
    if fault := fault_in_task_key(key):
        fields.fault(fault)
    task = Task(
        key=key,
        job=(fields.take if any(map(fields.data.get, _INSTEAD_OF_A_JOB)) else fields.need)(
            "job", key_text("job name"), ""
        ),
        task=fields.take("task", key_text("task definition"), ""),
        title=fields.take("title", short_text(200), ""),
        after=_after(fields),
        params=fields.take("params", mapping, None),
        settings=read_settings(fields),
        trigger_rule=fields.take("trigger_rule", _trigger_rule, "all_success"),
        when=fields.take("when", _when, None),
        map=fields.take("map", read_map, None),
        **({name: fields.take(name, read, None) for name, read in MAP_KEYS.items()} | {"tolerate": _tolerate(fields)}),
        max_spawn=fields.take("max_spawn", whole(1, MOST_SPAWNED), None),
        on_failure=fields.take("on_failure", _on_failure, "fail"),
        compensate=fields.take("compensate", key_text("job name"), ""),
        compensate_on=fields.take("compensate_on", one_of("start", "success"), "start"),
        run_on=fields.take("run_on", one_of("terminate"), None),
        workflow=fields.take("workflow", key_text("workflow key"), ""),
        wait_for=read_wait(fields),
        produces=fields.take("produces", read_dataset, ""),
    )
    if task.map is None and not any(edge.each for edge in task.after):
        for name in MAP_KEYS.keys() & fields.data.keys():
            fields.fault("needs `map`, the list that it is about", name)
    check_child(fields, task)
    check_wait(fields, task)
    fields.close(_LATER_KEYS)
    return task


def _tolerate(fields: Fields) -> Tolerance | None:
    inner = fields.section("tolerate")
    tolerance = Tolerance(
        fail_pct=inner.take("fail_pct", number(0, 100), None), min_ok=inner.take("min_ok", whole(0, 1_000_000), None)
    )
    inner.close()
    if isinstance(written := fields.data.get("tolerate"), dict) and not written:
        fields.fault("needs fail_pct, min_ok or both", "tolerate")
    return None if tolerance == Tolerance() else tolerance


def read_map(value: Json) -> Json:
    """The list of a map, or the expression that gives it."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and "{{" in value:
        return value
    raise ValueError(f'must be a list, or an expression such as "{{{{ universe.output }}}}", not {kind(value)}')


def _saga(top: Fields) -> Saga | None:
    value = top.data.get("saga")
    if not isinstance(value, dict):
        return Saga() if top.take("saga", flag, False) else None
    fields = top.section("saga")
    saga = Saga(
        name=fields.take("name", short_text(200), ""),
        retries=fields.take("retries", whole(0, 1000), None),
        order=fields.take("order", one_of("reverse", "serial"), "reverse"),
    )
    fields.close()
    return saga


def _after(fields: Fields) -> tuple[Edge, ...]:
    edges: list[Edge] = fields.take("after", read_edges, [])
    seen: set[str] = set()
    for edge in edges:
        if edge.parent in seen:
            fields.fault(f"names {edge.parent} twice", "after")
        seen.add(edge.parent)
    return tuple(edges)


def read_edges(value: Json) -> list[Edge]:
    """Edges as they are written: a parent, a list of parents, or parents with conditions."""
    if isinstance(value, dict):
        return [_edge(parent, condition) for parent, condition in value.items()]
    return [Edge(parent) for parent in strings(value)]


def _edge(parent: str, value: Json) -> Edge:
    if value is True:
        return Edge(parent)
    if value == EACH:
        return Edge(parent, each=True)
    if isinstance(value, str):
        return Edge(parent, value)
    if value in ({"on": BREAKER_OPEN}, {"on": BREAKER_OPEN, EACH: True}):
        return Edge(parent, on=BREAKER_OPEN, each=EACH in value)
    raise ValueError(f"the condition of {parent} must be true or an expression, each, or {{on: breaker_open}}")


def _when(value: Json) -> str | None:
    if value is False:
        return "false"
    if value is True:
        return None
    if isinstance(value, str):
        return value
    raise ValueError("must be true, false or an expression")


def _tags(value: Json) -> tuple[str, ...]:
    tags = strings(value)
    if len(tags) > 100 or any(not 1 <= len(tag) <= 200 for tag in tags):
        raise ValueError("takes up to 100 tags of 1 to 200 characters")
    return tags
