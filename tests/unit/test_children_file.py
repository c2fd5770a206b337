"""What a file and a builder may say of tasks that start other workflows."""

from __future__ import annotations

import json

import pytest

from qflowd import TaskBuilder, WorkflowBuilder
from qflowd.define import workflow_file
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidWorkflow

NIGHTLY = {
    "workflow": "nightly",
    "tasks": {
        "us": {"workflow": "load_market", "params": {"market": "US"}, "priority": 3},
        "report": {"job": "report", "after": ["us"], "params": {"rows": "{{ us.output.rows }}"}},
    },
    "outputs": {"rows": "{{ us.output.rows }}", "text": "{{ report.output }}"},
}


def faults(**changes: object) -> list[str]:
    document = json.loads(json.dumps(NIGHTLY))
    tasks = changes.pop("tasks", {})
    for key, task in tasks.items():  # type: ignore[attr-defined]
        document["tasks"][key] = {**document["tasks"].get(key, {}), **task}
    try:
        workflow_file.parse(json.dumps(document | changes), "json", "f.json")
    except InvalidWorkflow as error:
        return [f"{fault.key}: {fault.message}" for fault in error.faults]
    return []


def test_a_file_and_a_builder_say_the_same() -> None:
    from_file = workflow_file.parse(json.dumps(NIGHTLY), "json", "f.json")
    built = (
        WorkflowBuilder("nightly")
        .with_task(TaskBuilder("us").with_workflow("load_market").with_params(market="US").with_priority(3))
        .with_task(TaskBuilder("report", "report").with_params(rows="{{ us.output.rows }}"))
        .with_dependency("report", "us")
        .with_outputs(rows="{{ us.output.rows }}", text="{{ report.output }}")
        .build()
    )
    assert built == from_file
    assert workflow_file.parse(json.dumps(dump(built)), "json", "f.json") == built


def test_a_workflow_that_starts_itself_is_refused() -> None:
    fault = "tasks.us.workflow: is this workflow itself: it would start itself for ever"
    assert faults(tasks={"us": {"workflow": "nightly"}}) == [fault]


@pytest.mark.parametrize("other", ["job", "task"])
def test_a_task_runs_a_job_or_starts_a_workflow(other: str) -> None:
    fault = f"tasks.us.workflow: cannot stand beside {other}: a task either runs a job or starts a workflow"
    assert faults(tasks={"us": {other: "fetch"}}) == [fault]


@pytest.mark.parametrize(
    ("key", "value"), [("pool", "io"), ("retries", 2), ("timeout", "5m"), ("memory", "1GB"), ("limits", {"vendor": 1})]
)
def test_settings_of_a_job_belong_to_the_tasks_of_the_workflow(key: str, value: object) -> None:
    fault = f"tasks.us.{key}: is for a task with a job; give it to the tasks of load_market"
    assert faults(tasks={"us": {key: value}}) == [fault]


def test_a_task_that_starts_a_workflow_has_a_compensation_and_runs_after_a_termination() -> None:
    assert faults(tasks={"us": {"compensate": "drop", "compensate_on": "success"}}) == []
    ends = {"after": ["load"], "trigger_rule": "always", "run_on": "terminate"}
    assert faults(tasks={"load": {"job": "load"}, "us": ends}) == []
    fault = "tasks.us.run_on: is for tasks with `trigger_rule: always` and without `map`"
    assert faults(tasks={"us": {"run_on": "terminate"}}) == [fault]


def test_outputs_use_tasks_and_params_that_there_are() -> None:
    assert faults(outputs={"rows": "{{ uk.output }}"})[0].startswith("outputs.rows: the output of 'uk' is not known")
    assert faults(outputs={"rows": "{{ item }}"})[0].startswith("outputs.rows: item is known only")
    assert faults(outputs={"rows": "{{ params.day }}"}, params={}) == ["outputs.rows: params has no 'day'"]
    assert faults(outputs={"a b": 1})[0].startswith("outputs.a b:")
    assert faults(outputs=[1])[0].startswith("outputs:")
