"""Stored versions, read back without checks. That they survive is shown with those of files."""

import pytest

from qflowd.define import stored, workflow_file
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Edge, Schedule, Settings, Task, Workflow


def test_only_what_was_said_is_stored():
    assert stored.write(Workflow("w", (Task("a", "j"),))) == '{"key":"w","tasks":[{"key":"a","job":"j"}]}'


def test_all_ways_to_wait_come_back():
    tasks = (
        Task("a", "j"),
        Task("b", "j", after=(Edge("a"),)),
        Task("c", "j", after=(Edge("a"), Edge("b"))),
        Task("d", "j", after=(Edge("a", "{{ a.output }}"), Edge("c"))),
    )
    workflow = Workflow(
        "w", tasks, schedule=Schedule("@daily", catchup="all", catchup_limit=7), defaults=Settings(memory=1)
    )
    assert stored.read(stored.write(workflow), "v") == workflow


def test_a_version_that_an_earlier_release_stored_as_a_file_is_read():
    text = (
        '{"workflow":"w","defaults":{"timeout":"1h","memory":"512MB"},"schedule":{"cron":"@daily","catchup":"all(7)"},'
        '"timeout":"1d","tasks":{"a":{"job":"j"},"b":{"job":"j","after":{"a":"{{ a.output }}"},"retry_delay":"100ms"}}}'
    )
    assert stored.read(text, "v") == workflow_file.parse(text, "json", "f")


def test_what_a_text_with_aliases_grows_to_is_bounded():
    anchor = f"workflow: w\nparams: {{x: {{default: &x {'x' * 10_000}}}}}\ntasks:\n"
    tasks = "".join(f"  t{number}: {{job: j, params: {{x: *x}}}}\n" for number in range(1100))
    workflow = workflow_file.parse(anchor + tasks, "yaml", "f")
    with pytest.raises(InvalidWorkflow, match=r"w: is too large: 11,\d{3},\d{3} bytes once it is stored"):
        stored.write(workflow)


@pytest.mark.parametrize(
    "text",
    [
        '{"key": "w", "tasks": [{"key": "a", "job": "j", "tolerate_all": 1}]}',
        '{"key": "w", "saga": true, "tasks": [{"key": "a", "job": "j"}]}',
        '{"key": "w", "schedule": {"cron": "@daily", "jitter": "5m"}, "tasks": [{"key": "a", "job": "j"}]}',
        '{"key": "w", "tasks": [{"key": "a"}]}',
        '{"key": "w", "tasks": [{"key": "a", "job": "j", "settings": {"timeout": "soon"}}]}',
        '{"key": "w", "tasks": {}}',
        '{"workflow": "w", "tasks": {"a": {"job": "j", "tolerate_all": 1}}}',
        "[]",
        "{",
    ],
)
def test_what_this_release_does_not_know_is_refused_and_names_the_version(text):
    with pytest.raises(InvalidWorkflow, match=r"version 3 of w.*newer"):
        stored.read(text, "version 3 of w")
