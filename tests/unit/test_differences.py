"""What differs between two versions, as a person would say it."""

import json

from qflowd.define.differences import Difference, differences
from qflowd.define.workflow_file import parse


def between(before, after):
    return differences(
        *(parse(json.dumps({"workflow": "daily", **document}), "json", "w") for document in (before, after))
    )


def tasks(**documents):
    return {"tasks": {key: {"job": "load"} | document for key, document in documents.items()}}


def test_equal_workflows_do_not_differ_however_they_are_written():
    before = tasks(a={"timeout": "600s"}, b={"after": "a"})
    assert between(before, tasks(b={"after": {"a": True}}, a={"timeout": "10m"})) == []


def test_a_changed_key_of_a_task_is_named_with_both_values_as_a_file_has_them():
    before = tasks(a={"timeout": "5m", "params": {"symbols": ["AAPL"], "limits": {"rows": 3}}})
    after = tasks(a={"timeout": "10m", "params": {"symbols": ["AAPL", "IBM"], "limits": {"rows": 3.0}}})
    assert between(before, after) == [
        Difference("changed", "a", "params.symbols", ["AAPL"], ["AAPL", "IBM"]),
        Difference("changed", "a", "params.limits.rows", 3, 3.0),
        Difference("changed", "a", "timeout", "5m", "10m"),
    ]


def test_keys_that_come_and_go_are_told_from_those_that_are_null():
    before = tasks(a={"retries": 2, "params": {"symbol": None}})
    assert between(before, tasks(a={"memory": "1GB", "params": {}})) == [
        Difference("removed", "a", "params.symbol", None, None),
        Difference("removed", "a", "retries", 2, None),
        Difference("added", "a", "memory", None, "1GB"),
    ]


def test_tasks_that_come_and_go_are_shown_whole():
    assert between(tasks(a={}, b={"after": "a"}), tasks(a={}, c={"after": "a", "job": "check"})) == [
        Difference("added", "c", "", None, {"job": "check", "after": {"a": True}}),
        Difference("removed", "b", "", {"job": "load", "after": {"a": True}}, None),
    ]


def test_a_task_with_a_new_key_and_nothing_else_new_is_renamed():
    assert between(tasks(a={}, b={"retries": 2}), tasks(a={}, c={"retries": 2})) == [
        Difference("renamed", "c", "", "b", "c")
    ]


def test_the_workflow_itself_comes_first():
    before = {"title": "Bars", "schedule": "0 17 * * *", **tasks(a={})}
    after = {"schedule": {"cron": "0 17 * * *", "timezone": "Asia/Shanghai"}, "tags": ["cn"], **tasks(a={"pool": "io"})}
    assert [(d.change, d.task, d.key) for d in between(before, after)] == [
        ("removed", None, "title"),
        ("added", None, "schedule.timezone"),
        ("added", None, "tags"),
        ("added", "a", "pool"),
    ]
