"""The success of a task that says what it `produces` is a new version of that dataset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.model.states import TaskState
from tests.support.lab import Lab
from tests.support.signals_sent import drive, error
from tests.support.spawning import FILES, daily

DAILY = "cn_daily@{{ business_date }}"
DAY = "2026-11-20"


def versions(lab: Lab, columns: str = "name, version, is_latest") -> list[tuple[Any, ...]]:
    return lab.sql(f"SELECT {columns} FROM qflow.datasets ORDER BY id")


def test_a_success_is_a_version_with_what_the_task_returned_and_a_rerun_is_the_next(lab: Lab) -> None:
    lab.define("bars", {"load": {"job": "work"}, "publish": {"job": "work", "after": "load", "produces": DAILY}})
    number = lab.start("bars", business_date=DAY)
    drive(lab, {"publish": {"rows": 5412}})
    about = "name, series, version, is_latest, instance_id, workflow, task, metadata, tenant"
    first = (f"cn_daily@{DAY}", "cn_daily", 1, 1, number, "bars", "publish", '{"rows":5412}', "default")
    assert [(*row[:7], row[7].replace(" ", ""), row[8]) for row in versions(lab, about)] == [first]
    assert [str(day) for (day,) in versions(lab, "business_date")] == [DAY]
    assert lab.command("rerun", number, task="publish")[0] == "DONE"
    assert len(versions(lab)) == 1  # until it has succeeded
    drive(lab, {"publish": {"rows": 5413}})
    assert versions(lab) == [(f"cn_daily@{DAY}", 1, 0), (f"cn_daily@{DAY}", 2, 1)]
    assert [json.loads(text) for (text,) in versions(lab, "metadata")] == [{"rows": 5412}, {"rows": 5413}]
    lab.check(drained=True)


def test_only_a_success_is_a_version_and_each_name_counts_by_itself(lab: Lab) -> None:
    lab.define("bars", {"publish": {"job": "work", "produces": DAILY}})
    for day, state in ((DAY, TaskState.FAILED), (DAY, TaskState.SKIPPED), ("2026-11-23", TaskState.SUCCESS)):
        lab.start("bars", business_date=day, allow_duplicates=1)
        lab.ends(lab.claim(), state)
    lab.start("bars", business_date=DAY, allow_duplicates=1)
    lab.ends(lab.claim())
    assert versions(lab, "name, version") == [("cn_daily@2026-11-23", 1), (f"cn_daily@{DAY}", 1)]


def test_tasks_that_end_together_are_versions_one_after_the_other(lab: Lab) -> None:
    lab.define("bars", {"publish": {"job": "work", "produces": "cn_daily@{{ params.of }}"}, "also": {"job": "work"}})
    for of in ("b", "a", "b"):
        lab.start("bars", params=json.dumps({"of": of}))
    lab.ends(lab.claim())
    assert sorted(versions(lab)) == [("cn_daily@a", 1, 1), ("cn_daily@b", 1, 0), ("cn_daily@b", 2, 1)]


def test_a_result_that_comes_too_late_is_not_a_version(lab: Lab) -> None:
    lab.define("bars", {"publish": {"job": "work", "produces": DAILY}})
    number = lab.start("bars", business_date=DAY)
    [row] = lab.claim()
    lab.finish(lab.final(row._replace(fence=row.fence - 1)))
    assert versions(lab) == []
    lab.finish(lab.final(row))
    assert (lab.state(number), versions(lab, "version")) == ("SUCCESS", [(1,)])


def test_a_map_is_a_version_when_all_of_its_items_have_succeeded(lab: Lab) -> None:
    lab.define("bars", {"load": {"job": "work", "map": [1, 2], "produces": DAILY}})
    lab.start("bars", business_date=DAY)
    first, second = lab.claim()
    lab.ends([first])
    assert versions(lab) == []
    lab.ends([second])
    assert versions(lab, "task, version, metadata") == [("load", 1, None)]


def test_a_task_that_has_spawned_others_is_a_version_when_they_have_ended_also_by_a_skip(lab: Lab) -> None:
    number = daily(lab, FILES, produces="scan")
    bad, good = lab.claim()
    assert versions(lab) == []
    lab.finish(lab.final(bad, TaskState.FAILED), lab.final(good, output={"rows": 3}))
    assert (lab.state(number), versions(lab)) == ("FAILED", [])
    assert lab.command("skip", number, task="scan[AAPL]", reason="delisted")[0] == "DONE"
    [(name, version, metadata)] = versions(lab, "name, version, metadata")
    assert (name, version, json.loads(metadata)) == ("scan", 1, {"AAPL": None, "IBM": {"rows": 3}})


def test_what_only_waits_and_what_starts_a_workflow_may_produce_as_well(lab: Lab) -> None:
    lab.define("inner", {"a": {"job": "work"}})
    lab.define(
        "outer",
        {
            "ready": {"wait_for": {"delay": "1m"}, "produces": "ready"},
            "run": {"workflow": "inner", "after": "ready", "produces": "inner@{{ params.of }}"},
        },
    )
    lab.start("outer", params=json.dumps({"of": "x"}))
    drive(lab)
    lab.clock.advance(60)
    drive(lab)
    assert versions(lab, "name, series, version") == [("ready", "ready", 1), ("inner@x", "inner", 1)]


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (
            "",
            "produces: the name of a dataset 'cn_daily@' ends in @; behind it stands which part it is, such as a date",
        ),
        ("a b", "produces: the name of a dataset 'a b' contains ' '; use letters, digits and _ - . /"),
        ("x" * 192, "produces: the name of a dataset has 201 characters; at most 200 are allowed"),
        (None, "{{ params.of }} is null, which cannot stand inside a string"),
    ],
)
def test_a_name_that_cannot_be_one_fails_the_task_before_it_runs(lab: Lab, of: str | None, why: str) -> None:
    lab.define("bars", {"publish": {"job": "work", "params": {"x": 1}, "produces": "cn_daily@{{ params.of }}"}})
    number = lab.start("bars", params=json.dumps({"of": of}))
    rows = lab.claim()
    sent, batch = lab.send(rows)
    lab.finish(batch=batch)
    assert (sent, lab.state(number), error(lab, number, "publish")) == (set(), "FAILED", why)
    assert versions(lab) == []


def test_a_large_output_is_not_kept_with_the_version(lab: Lab) -> None:
    lab.define("bars", {"publish": {"job": "work", "produces": "cn_daily"}})
    for size in (9_998, 9_999, 70_000):
        lab.start("bars")
        lab.finish(*(lab.final(row, output="x" * size) for row in lab.claim()))
    assert versions(lab, "version, CASE WHEN metadata IS NULL THEN 0 ELSE 1 END") == [(1, 1), (2, 0), (3, 0)]
