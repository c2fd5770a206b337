"""`concurrency:` of a workflow file: each way of writing it, and each fault with its line."""

from __future__ import annotations

import json

import pytest

from qflowd import WorkflowBuilder
from qflowd.define import stored, workflow_file
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Concurrency, Workflow

FILE = """workflow: orders
params: {account: {type: string}}
concurrency: %s
tasks: {send: {job: send}}
"""
KEYED = "{{ params.account }}"


def read(written: str) -> Workflow:
    return workflow_file.parse(FILE % written, "yaml", "orders.yaml")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("parallel", None),
        ("{policy: parallel}", None),
        ("sequential", Concurrency("sequential")),
        ("singleton(skip)", Concurrency("singleton(skip)")),
        ("{max: 3}", Concurrency("parallel", 3)),
        (f'{{keyed: "{KEYED}"}}', Concurrency("sequential", None, KEYED)),
        (f'{{keyed: "{KEYED}", max: 2}}', Concurrency("parallel", 2, KEYED)),
        (f'{{keyed: "{KEYED}", policy: singleton(replace)}}', Concurrency("singleton(replace)", None, KEYED)),
    ],
)
def test_what_is_written_is_kept_in_files_and_in_the_database(written, expected):
    workflow = read(written)
    assert workflow.concurrency == expected
    assert workflow_file.parse(json.dumps(dump(workflow)), "json", "orders") == workflow
    assert stored.read(stored.write(workflow), "orders") == workflow


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("singleton", "concurrency: must be one of parallel, sequential, singleton(skip), singleton(replace), singleton(queue), not 'singleton'"),
        ("7", "concurrency: must hold keys and values, not a number"),
        ("{max: 0}", "concurrency.max: must be a whole number from 1 to 1000, not 0"),
        ("{policy: sequential, max: 3}", "concurrency.max: is for the policy parallel; sequential is one at a time"),
        ("{keyed: account}", "concurrency.keyed: holds no expression, so all instances have one key; did you mean {{ params.account }}?"),
        ('{keyed: "{{ params.acount }}"}', "concurrency.keyed: params has no 'acount'; did you mean account?"),
        ('{keyed: "{{ send.output }}"}', "concurrency.keyed: the output of 'send' is not known here; tasks above: none"),
        (f'{{keyed: "{KEYED}", policy: parallel}}', "concurrency.policy: parallel needs max: how many instances of one key run at once"),
        ("{most: 3}", "concurrency.most: unknown key; known: keyed, max, policy"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(written, fault):
    with pytest.raises(InvalidWorkflow) as raised:
        read(written)
    assert str(raised.value) == f"orders.yaml:3: {fault}"


def test_a_builder_says_the_same_as_a_file():
    builder = WorkflowBuilder("orders").with_params(account={"type": "string"})
    workflow = workflow_file.parse(FILE % f'{{keyed: "{KEYED}", max: 2}}', "yaml", "orders.yaml")
    builder.with_task(workflow.tasks[0]).with_concurrency(keyed=KEYED, max=2)
    assert builder.build() == workflow
