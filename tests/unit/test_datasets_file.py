"""`produces` in a file: what it may say, and each fault in a sentence."""

from __future__ import annotations

import json

import pytest

from qflowd.define import workflow_file
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidWorkflow

NAME = "the name of a dataset"
REMEDY = "and that may change while the task runs; use business_date, or a param whose default asks it"
WELL = '"cn_daily@{{ business_date }}"'


def text(*produces: str) -> str:
    tasks = "".join(f"  t{i}: {{job: work, produces: {each}}}\n" for i, each in enumerate(produces, 1))
    return f"workflow: w\nparams: {{m: {{type: string}}}}\ntasks:\n{tasks}"


@pytest.mark.parametrize(
    "name", ["cn_daily", "cn_daily@2026-11-20", "bars/{}@x:{{{{ params.m }}}}-{{{{ business_date }}}}"]
)
def test_what_a_task_produces_is_read_and_written_back(name: str) -> None:
    name = name.format("1m")
    workflow = workflow_file.parse(text(json.dumps(name)), "yaml", "f.yaml")
    assert workflow.tasks[0].produces == name
    assert workflow_file.parse(json.dumps(dump(workflow)), "json", "w.json") == workflow
    task = TaskBuilder("t1", "work").with_produces(name)
    assert WorkflowBuilder("w").with_params(m={"type": "string"}).with_task(task).build() == workflow


@pytest.mark.parametrize(
    ("produces", "fault"),
    [
        (["a b"], f"tasks.t1.produces: {NAME} 'a b' contains ' '; use letters, digits and _ - . /"),
        (['"a@"'], f"tasks.t1.produces: {NAME} 'a@' ends in @; behind it stands which part it is, such as a date"),
        (['"@x"'], f"tasks.t1.produces: {NAME} must not be empty"),
        (["a@b@c"], f"tasks.t1.produces: {NAME} 'b@c' contains '@'; use letters, digits and _ - . /"),
        (["'a#v2'"], f"tasks.t1.produces: {NAME} 'a#v2' contains '#'; use letters, digits and _ - . /"),
        (["x" * 201], f"tasks.t1.produces: {NAME} has 201 characters; at most 200 are allowed"),
        (["[a]"], "tasks.t1.produces: must be a string, not a list"),
        (
            ['"{{ params.m }}@x"'],
            "tasks.t1.produces: has an expression in its name; one stands behind an @, as in " + WELL,
        ),
        (['"a@{{ params.n }}"'], "tasks.t1.produces: params has no 'n'; known: m"),
        (['"a@{{ t2.output }}"', "b"], "tasks.t1.produces: the output of 't2' is not known here; tasks above: none"),
        (
            ['"a@{{ item }}"'],
            "tasks.t1.produces: item is known only to the params, label and limits of a task with `map`",
        ),
        *(
            (
                [f"'a@{{{{ {function}(business_date{more}) }}}}'"],
                f"tasks.t1.produces: asks a calendar by {function}, {REMEDY}",
            )
            for function, more in (("next_session", ', 1, "XSHG"'), ("prev_session", ", 1, params.m"))
        ),
        (["b", "a@1", "a@1"], "tasks.t3.produces: a@1 is what task t2 produces; one task of a workflow does"),
    ],
)
def test_a_fault_is_named_in_a_sentence(produces: list[str], fault: str) -> None:
    with pytest.raises(InvalidWorkflow) as found:
        workflow_file.parse(text(*produces), "yaml", "f.yaml")
    assert [str(each).partition(": ")[2] for each in found.value.faults] == [fault]
