"""Spawned tasks: rows that appear with the success of the task that asked for them, or not at all."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.spawning.spawner import DEEPEST
from qflowd.model.ids import ORDINALS
from qflowd.model.workflow import Job
from tests.support.lab import FAILED, SKIPPED, SUCCESS
from tests.support.spawning import DAILY, FILES, MERGED, checked, daily, error_of, named, request_of, spawn


def test_spawned_tasks_run_after_the_task_that_asked_for_them_and_what_comes_after_it_waits(lab):
    number = daily(lab)
    waiting = {"scan": "PENDING", "report": "PENDING"}
    assert lab.states(number) == waiting | {"scan[AAPL]": "READY", "scan[IBM]": "READY"}
    lab.check()
    first, second = lab.claim()
    lab.ends([first])
    assert lab.states(number)["scan"] == "PENDING"
    lab.check()
    lab.ends([second])
    assert (lab.states(number)["scan"], lab.states(number)["report"]) == ("SUCCESS", "READY")
    lab.check()
    lab.succeeds(number)


def test_a_spawned_task_waits_for_those_that_it_comes_after(lab):
    number = daily(lab, MERGED)
    rows = lab.claim()
    assert named(lab, rows) == ["scan[AAPL]", "scan[IBM]"]
    lab.ends(rows[:1])
    assert lab.claim() == []
    lab.check()
    lab.ends(rows[1:])
    [merge] = lab.claim()
    assert named(lab, [merge]) == ["scan[merge]"]
    lab.ends([merge])
    lab.check()
    assert lab.states(number)["scan"] == "SUCCESS"


def test_people_see_what_was_spawned_and_that_its_spawner_waits(lab):
    number = daily(lab, MERGED)
    rows = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    assert [(row.task, row.label, row.kind, row.wait_reason) for row in rows if row.state == "PENDING"] == [
        ("scan", None, "task", "waits for the tasks that it spawned: 3"),
        ("report", None, "task", "waits for tasks before it: scan"),
        ("scan", "merge", "spawned", "waits for tasks before it: scan[AAPL], scan[IBM]"),
    ]
    assert next(json.loads(row.params) for row in rows if row.kind == "spawned") == {"file": "AAPL"}


def test_a_task_that_returned_nothing_has_the_outputs_of_what_it_spawned_by_name(lab):
    number = daily(lab)
    rows = lab.claim()
    lab.finish(*(lab.final(row, output={"rows": i}) for i, row in enumerate(rows)))
    assert json.loads(lab.column("task_instance", "output", number * ORDINALS)) == {
        "AAPL": {"rows": 0},
        "IBM": {"rows": 1},
    }


@pytest.mark.parametrize(("size", "parts"), [(20_000, 0), (600_000, 2)])
def test_outputs_by_name_may_be_large(lab, size, parts):
    number = daily(lab)
    lab.finish(*(lab.final(row, output="x" * size) for row in lab.claim()))
    [(count,)] = lab.sql(f"SELECT count(*) FROM qflow.large_value WHERE task_id = {number * ORDINALS}")
    assert count == parts
    assert lab.states(number)["report"] == "READY"


def test_outputs_that_are_too_large_together_fail_the_task_that_returned_nothing(lab):
    number = daily(lab)
    lab.finish(*(lab.final(row, output="x" * 9_000_000) for row in lab.claim()))
    lab.check(drained=True)
    assert lab.states(number) == {
        "scan": "FAILED",
        "report": "UPSTREAM_FAILED",
        "scan[AAPL]": "SUCCESS",
        "scan[IBM]": "SUCCESS",
    }
    assert error_of(lab, number * ORDINALS) == (
        "what its spawned tasks returned is larger than 16,777,216 bytes together; return a value from the job that "
        "spawned them, and that is kept in its place"
    )


def test_a_task_keeps_what_it_returned(lab):
    lab.workflow("daily", DAILY)
    number = lab.start("daily")
    [row] = lab.claim()
    spawn(lab, row, FILES, output={"files": 2})
    lab.finish(*(lab.final(row, output=1) for row in lab.claim()))
    assert json.loads(lab.column("task_instance", "output", number * ORDINALS)) == {"files": 2}


def test_a_spawned_task_that_fails_fails_its_spawner_and_the_instance(lab):
    number = daily(lab, MERGED)
    bad, good = lab.claim()
    final = [lab.final(bad, FAILED), lab.final(good)]
    lab.finish(batch=Batch(final=final, attempts=[lab.failed_attempt(bad, "no such file")]))
    assert lab.states(number) == {
        "scan": "FAILED",
        "report": "UPSTREAM_FAILED",
        "scan[AAPL]": "FAILED",
        "scan[IBM]": "SUCCESS",
        "scan[merge]": "UPSTREAM_FAILED",
    }
    assert lab.state(number) == "FAILED"
    why = "2 of 3 spawned tasks did not succeed; the first: scan[AAPL]: no such file"
    assert error_of(lab, number * ORDINALS) == why
    assert lab.column("workflow_instance", "error", number) == f"task scan: {why}"
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("rule", "state"), [("all_done", "READY"), ("none_failed", "UPSTREAM_FAILED"), ("any_success", "UPSTREAM_FAILED")]
)
def test_the_rule_of_what_comes_after_sees_what_the_spawned_tasks_came_to(lab, rule, state):
    number = daily(lab, report={"trigger_rule": rule})
    bad, good = lab.claim()
    lab.ends([good])
    assert lab.states(number)["report"] == "PENDING"
    lab.ends([bad], FAILED)
    assert lab.states(number)["report"] == state
    lab.check()


@pytest.mark.parametrize("tasks", [FILES, MERGED])
def test_a_failure_that_is_to_be_continued_is_that_of_the_spawned_tasks_too(lab, tasks):
    number = daily(lab, tasks, on_failure="continue")
    lab.ends(lab.claim(), FAILED)
    lab.run()
    assert (lab.state(number), lab.states(number)["report"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_a_spawned_task_that_skips_itself_has_not_failed(lab):
    number = daily(lab, MERGED)
    rows = lab.claim()
    lab.finish(lab.final(rows[0], SKIPPED), lab.final(rows[1]))
    states = lab.states(number)
    assert (states["scan"], states["scan[merge]"], states["report"]) == ("SUCCESS", "SKIPPED", "READY")


def test_an_attempt_that_fails_spawns_nothing(lab):
    lab.workflow("daily", DAILY)
    number = lab.start("daily")
    [row] = lab.claim()
    batch = Batch(final=[lab.final(row, FAILED)], spawn_requests=[request_of(row, FILES)])
    lab.finish(batch=checked(lab, batch))
    assert lab.states(number) == {"scan": "FAILED", "report": "UPSTREAM_FAILED"}


def test_what_a_zombie_spawned_is_fenced_away(lab):
    lab.workflow("daily", DAILY)
    number = lab.start("daily")
    [row] = lab.claim()
    lab.finish(batch=Batch(released=[lab.released(row)]))
    [again] = lab.claim()
    spawn(lab, row, {"stale": []})
    assert sorted(lab.states(number)) == ["report", "scan"]
    spawn(lab, again, FILES)
    spawn(lab, row, {"stale": []})
    assert sorted(lab.states(number)) == ["report", "scan", "scan[AAPL]", "scan[IBM]"]
    lab.check()


def test_a_zombie_that_spawned_and_whose_row_is_gone_costs_no_other_result(lab):
    number = daily(lab, {"AAPL": []})
    [zombie] = lab.claim()
    lab.finish(batch=Batch(released=[lab.released(zombie)]))
    lab.ends(lab.claim())
    assert lab.command("rerun", number, task="scan")[0] == "DONE"
    other = lab.start(job="work")
    rows = [zombie, *(row for row in lab.claim() if row.id // ORDINALS == other)]
    batch = Batch(final=[lab.final(row) for row in rows], spawn_requests=[request_of(zombie, FILES)])
    lab.finish(batch=checked(lab, batch))
    assert lab.state(other) == "SUCCESS"
    assert sorted(lab.states(number)) == ["report", "scan"]
    lab.check()


def test_a_finish_whose_reply_was_lost_spawns_nothing_twice(lab):
    lab.workflow("daily", DAILY)
    number = lab.start("daily")
    [row] = lab.claim()
    batch = checked(lab, Batch(final=[lab.final(row)], spawn_requests=[request_of(row, FILES)]))
    lab.finish(batch=batch)
    lab.finish(batch=batch)
    assert len(lab.states(number)) == 4
    lab.check()


def test_other_results_of_the_batch_are_written_beside_spawned_tasks(lab):
    lab.workflow("daily", DAILY)
    numbers = [lab.start("daily") for _ in range(3)]
    rows = lab.claim()
    final = [lab.final(row) for row in rows]
    spawned = [request_of(rows[0], FILES), request_of(rows[2], MERGED), request_of(rows[1], FILES, job="unknown")]
    lab.finish(batch=checked(lab, Batch(final=final, spawn_requests=spawned)))
    assert [len(lab.states(number)) for number in numbers] == [4, 2, 5]
    assert lab.state(numbers[1]) == "FAILED"
    assert error_of(lab, rows[1].id) == "spawn: no job 'unknown' is registered; there are work"
    lab.run()
    assert [lab.state(number) for number in numbers] == ["SUCCESS", "FAILED", "SUCCESS"]
    lab.check(drained=True)


def test_the_items_of_a_map_may_spawn(lab):
    lab.workflow("daily", {"bars": [], "report": ["bars"]}, {"bars": {"map": ["AAPL", "IBM"], "label": "{{ item }}"}})
    number = lab.start("daily")
    first, second = lab.claim()
    spawn(lab, first, {"daily": [], "weekly": ["daily"]})
    lab.ends([second])
    assert lab.states(number)["bars"] == "PENDING"
    lab.check()
    lab.run()
    assert set(lab.states(number).values()) == {"SUCCESS"}
    assert "bars[AAPL/weekly]" in lab.states(number)
    lab.check(drained=True)


def test_a_spawned_task_may_spawn(lab):
    number = daily(lab, MERGED)
    aapl, ibm = lab.claim()
    spawn(lab, aapl, {"2024": [], "2025": ["2024"]})
    lab.ends([ibm])
    assert lab.states(number)["scan[AAPL]"] == "PENDING"
    assert lab.states(number)["scan[merge]"] == "PENDING"
    lab.check()
    [year] = lab.claim()
    assert named(lab, [year]) == ["scan[AAPL/2024]"]
    lab.ends([year])
    lab.ends(lab.claim())
    assert (lab.states(number)["scan[AAPL]"], lab.states(number)["scan[merge]"]) == ("SUCCESS", "READY")
    lab.check()
    lab.run()
    assert set(lab.states(number).values()) == {"SUCCESS"}
    lab.check(drained=True)


def test_a_job_that_spawns_itself_without_end_fails_with_the_limit(lab):
    lab.workflow("daily", {"scan": []})
    number = lab.start("daily")
    for _ in range(DEEPEST + 1):
        [row] = lab.claim()
        spawn(lab, row, {"again": []})
    assert lab.state(number) == "FAILED"
    assert error_of(lab, row.id) == (
        "spawn: tasks that spawn tasks are nested 10 deep, which is the limit (DEEPEST); does job work spawn itself "
        "without end?"
    )
    lab.check(drained=True)


def test_more_tasks_than_max_spawn_are_refused(lab):
    number = daily(lab, MERGED, max_spawn=2)
    assert lab.states(number) == {"scan": "FAILED", "report": "UPSTREAM_FAILED"}
    assert error_of(lab, number * ORDINALS) == (
        "spawn: 3 tasks were asked for; at most 2 are made (max_spawn of task scan)"
    )


def test_a_single_job_may_spawn_a_thousand_tasks_and_no_more(lab):
    first, second = lab.start(job="work"), lab.start(job="work")
    rows = lab.claim()
    spawn(lab, rows[0], {str(i): [] for i in range(1000)})
    spawn(lab, rows[1], {str(i): [] for i in range(1001)})
    assert error_of(lab, rows[1].id) == (
        "spawn: 1,001 tasks were asked for; at most 1,000 are made (max_spawn of task work)"
    )
    lab.run()
    assert (lab.state(first), lab.state(second)) == ("SUCCESS", "FAILED")
    lab.check(drained=True)


def test_spawned_tasks_have_settings_of_their_own_over_those_of_the_workflow_and_their_job(lab):
    lab.jobs.own = dict(lab.jobs.own) | {"load": Job("load", "", "work.py", "h")}
    lab.workflow("daily", DAILY, defaults={"pool": "io", "retries": 2})
    lab.start("daily", priority=5)
    [row] = lab.claim()
    spawn(lab, row, {"a": []}, job="load", limits={"vendor": 1}, priority=7)
    rows = lab.sql(
        "SELECT l.pool, l.job, l.limits, t.priority FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane "
        "WHERE t.kind = 5"
    )
    assert rows == [("io", "load", "vendor=1", -12)]


def test_a_paused_instance_holds_what_was_spawned(lab):
    lab.workflow("daily", DAILY)
    number = lab.start("daily")
    [row] = lab.claim()
    lab.command("pause", number)
    lab.sweep_all()
    spawn(lab, row, FILES)
    assert lab.claim() == []
    states = lab.states(number)
    assert (states["scan[AAPL]"], states["scan[IBM]"]) == ("HELD", "HELD")
    lab.command("resume", number)
    lab.sweep_all()
    lab.succeeds(number)


def test_a_termination_cancels_what_was_spawned_and_what_is_spawned_after_it(lab):
    numbers = [daily(lab), lab.start("daily")]
    rows = lab.claim()
    for number in numbers:
        lab.command("terminate", number)
    lab.sweep_all()
    spawn(lab, rows[2], FILES)
    lab.ends(rows[:2])
    lab.sweep_all()
    assert [lab.state(number) for number in numbers] == ["TERMINATED", "TERMINATED"]
    assert lab.states(numbers[0])["scan"] == "CANCELLED"
    assert set(lab.states(numbers[1]).values()) == {"CANCELLED"}
    lab.check(drained=True)


def test_the_instance_does_not_end_before_spawned_tasks_have(lab):
    lab.workflow("daily", {"scan": []})
    number = lab.start("daily")
    [row] = lab.claim()
    assert spawn(lab, row, FILES) == []
    first, second = lab.claim()
    lab.ends([first])
    assert lab.state(number) == "RUNNING"
    assert lab.finish(lab.final(second)) == [number]
    assert lab.state(number) == "SUCCESS"


@pytest.mark.parametrize("late", [SUCCESS, FAILED])
def test_a_parent_that_ends_while_a_spawner_waits_changes_nothing_of_it(lab, late):
    """A task with the rule any_success begins before all its parents have ended."""
    lab.workflow("daily", {"a": [], "b": [], "scan": ["a", "b"]}, {"scan": {"trigger_rule": "any_success"}})
    number = lab.start("daily")
    first, second = lab.claim()
    lab.ends([first])
    [scan] = lab.claim()
    spawn(lab, scan, FILES)
    lab.check()
    lab.ends([second], late)
    assert lab.states(number)["scan"] == "PENDING"
    lab.check()
    rows = lab.claim()
    assert named(lab, rows) == ["scan[AAPL]", "scan[IBM]"]
    lab.ends(rows)
    assert lab.states(number)["scan"] == "SUCCESS"
    lab.check(drained=True)


def test_tasks_that_together_have_no_room_in_their_instance_do_not_become_rows_of_the_next(lab):
    lab.workflow("daily", {"first": [], "second": []})
    number = lab.start("daily")
    lab.sql(f"UPDATE qflow.workflow_instance SET next_ordinal = {ORDINALS - 3} WHERE id = {number}")
    rows = lab.claim()
    spawned = [request_of(row, FILES) for row in rows]
    lab.finish(batch=checked(lab, Batch(final=[lab.final(row) for row in rows], spawn_requests=spawned)))
    first = number * ORDINALS
    assert lab.sql(f"SELECT count(*) FROM qflow.task_instance WHERE id >= {first + ORDINALS}") == [(0,)]
    assert (lab.states(number)["first"], lab.states(number)["second"]) == ("PENDING", "FAILED")
    assert "has no room" in error_of(lab, rows[1].id)
    lab.run()
    lab.check(drained=True)


def test_with_manual_retries_a_task_whose_spawn_is_refused_waits_for_a_person(lab):
    """Of the plan, and spawned itself."""
    lab.workflow("daily", DAILY, {"scan": {"retry": "manual"}})
    number = lab.start("daily")
    spawn(lab, lab.claim()[0], FILES, job="unknown")
    assert lab.states(number) == {"scan": "PENDING", "report": "PENDING"}
    lab.check()
    assert lab.command("retry", number)[0] == "DONE"
    [scan] = lab.claim()
    calls = request_of(scan, {"AAPL": []}, retry="manual")
    lab.finish(batch=checked(lab, Batch(final=[lab.final(scan)], spawn_requests=[calls])))
    [aapl] = lab.claim()
    spawn(lab, aapl, FILES, job="unknown")
    failed = lab.sql("SELECT task, label, state FROM qflow.failures")
    assert failed == [("scan", "AAPL", "PENDING")]
    lab.check()
