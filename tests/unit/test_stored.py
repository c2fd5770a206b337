"""Stored versions, read back without checks. That they survive is shown with those of files."""

import pytest

from qflowd.define import stored
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Edge, Schedule, Settings, Task, Workflow


def test_only_what_was_said_is_stored():
    assert stored.write(Workflow("w", (Task("a", "j"),))) == '{"workflow":"w","tasks":{"a":{"job":"j"}}}'


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


@pytest.mark.parametrize(
    "text",
    [
        '{"workflow": "w", "tasks": {"a": {"job": "j", "map": "{{ x }}"}}}',
        '{"workflow": "w", "saga": true, "tasks": {"a": {"job": "j"}}}',
        '{"workflow": "w", "schedule": {"cron": "@daily", "calendar": "XSHG"}, "tasks": {"a": {"job": "j"}}}',
        '{"workflow": "w", "tasks": {"a": {}}}',
        '{"workflow": "w", "tasks": {"a": {"job": "j", "timeout": "soon"}}}',
        '{"workflow": "w", "tasks": []}',
        "[]",
        "{",
    ],
)
def test_what_this_release_does_not_know_is_refused_and_names_the_version(text):
    with pytest.raises(InvalidWorkflow, match=r"version 3 of w.*newer"):
        stored.read(text, "version 3 of w")
