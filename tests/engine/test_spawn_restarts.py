"""Retry, rerun and skip of tasks that have spawned others, and of what they spawned."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.plans.scope import load_outputs
from qflowd.engine.plans.upstreams import Large
from qflowd.model.ids import ORDINALS
from tests.support.lab import FAILED, SUCCESS
from tests.support.spawning import FILES, MERGED, daily, error_of, spawn

STATES = {
    "scan": "PENDING",
    "report": "PENDING",
    "scan[AAPL]": "READY",
    "scan[IBM]": "SUCCESS",
    "scan[merge]": "PENDING",
}


def failed(lab, tasks=MERGED, **about):
    """An instance that has failed, because the first spawned task did."""
    number = daily(lab, tasks, **about)
    bad, good = lab.claim()
    lab.finish(lab.final(bad, FAILED), lab.final(good, output={"rows": 3}))
    assert lab.state(number) == "FAILED"
    return number


def output_of(lab, number, name="scan"):
    ordinal = list(lab.states(number)).index(name)
    text = lab.column("task_instance", "output", number * ORDINALS + ordinal)
    return None if text is None else json.loads(text)


@pytest.mark.parametrize("named_by", [{}, {"task": "scan[AAPL]"}, {"task": "scan"}])
def test_a_retry_runs_the_failed_spawned_tasks_alone_and_the_spawner_waits_for_them(lab, named_by):
    number = failed(lab)
    state, answer = lab.command("retry", number, **named_by)
    assert (state, answer.get("retried")) == ("DONE", ["scan[AAPL]"]), answer
    assert lab.states(number) == STATES
    lab.check()
    [again] = lab.claim()
    lab.finish(lab.final(again, output={"rows": 2}))
    lab.run()
    assert set(lab.states(number).values()) == {"SUCCESS"}
    assert output_of(lab, number) == {"AAPL": {"rows": 2}, "IBM": {"rows": 3}, "merge": None}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_retry_that_fails_again_fails_the_spawner_again(lab):
    number = failed(lab, FILES)
    lab.command("retry", number)
    lab.ends(lab.claim(), FAILED)
    assert (lab.state(number), lab.states(number)["scan"]) == ("FAILED", "FAILED")
    assert error_of(lab, number * ORDINALS).startswith("1 of 2 spawned tasks did not succeed; the first: scan[AAPL]")
    lab.command("retry", number)
    lab.succeeds(number)


def test_a_spawner_that_returned_a_value_keeps_it_in_a_retry(lab):
    number = failed(lab, FILES, output={"files": 2})
    lab.command("retry", number)
    lab.run()
    assert output_of(lab, number) == {"files": 2}
    lab.check(drained=True)


def test_large_outputs_of_spawned_tasks_are_collected_anew(lab):
    number = daily(lab)
    lab.finish(*(lab.final(row, output="x" * 60_000) for row in lab.claim()))
    lab.run()
    assert lab.command("rerun", number, task="scan[IBM]")[0] == "DONE"
    [again] = lab.claim()
    lab.finish(lab.final(again, output="y"))
    parts = lab.sql(f"SELECT value FROM qflow.large_value WHERE task_id = {number * ORDINALS}")
    assert parts == []
    assert output_of(lab, number) == {"AAPL": "x" * 60_000, "IBM": "y"}
    lab.run()
    lab.check(drained=True)


def test_a_worker_does_not_take_large_outputs_that_are_collected_anew_for_those_that_it_keeps(lab):
    def given_to_report():
        [row] = lab.claim()
        assert lab.key(row.id) == "report"
        outputs = lab.store.read(lambda tx: load_outputs(tx, lab.instances, [(number * ORDINALS, row.round)]))
        lab.ends([row])
        return outputs[number * ORDINALS]

    number = daily(lab)
    lab.finish(*(lab.final(row, output="x" * 60_000) for row in lab.claim()))
    before = given_to_report()
    assert lab.command("rerun", number, task="scan[IBM]")[0] == "DONE"
    [again] = lab.claim()
    lab.finish(lab.final(again, output="y" * 60_000))
    after = given_to_report()
    assert isinstance(after, Large), "it is asked for by its number"
    assert hash(after) != hash(before)
    lab.check(drained=True)


def test_a_retry_of_nested_spawned_tasks_reopens_each_that_waits_for_them(lab):
    number = daily(lab)
    aapl, ibm = lab.claim()
    spawn(lab, aapl, {"2024": [], "2025": ["2024"]})
    lab.ends([ibm])
    lab.ends(lab.claim(), FAILED)
    assert lab.state(number) == "FAILED"
    state, answer = lab.command("retry", number)
    assert (state, answer["retried"]) == ("DONE", ["scan[AAPL/2024]"])
    states = lab.states(number)
    assert [states[name] for name in ("scan", "scan[AAPL]", "scan[AAPL/2024]", "scan[AAPL/2025]", "scan[IBM]")] == [
        "PENDING",
        "PENDING",
        "READY",
        "PENDING",
        "SUCCESS",
    ]
    lab.check()
    lab.succeeds(number)


def test_a_rerun_of_the_spawner_deletes_what_it_spawned_and_spawns_anew(lab):
    number = daily(lab, MERGED)
    lab.run()
    state, answer = lab.command("rerun", number, task="scan")
    assert (state, answer["tasks"]) == ("DONE", 1), answer
    assert lab.states(number) == {"scan": "READY", "report": "PENDING"}
    lab.check()
    [row] = lab.claim()
    spawn(lab, row, {"MSFT": []})
    assert lab.states(number) == {"scan": "PENDING", "report": "PENDING", "scan[MSFT]": "READY"}
    lab.run()
    assert output_of(lab, number) == {"MSFT": None}
    assert lab.state(number) == "SUCCESS"
    for table in ("spawned", "task_input"):
        assert lab.sql(f"SELECT count(*) FROM qflow.{table}") == [(1,)]
    lab.check(drained=True)


def test_a_rerun_before_the_spawner_deletes_what_it_spawned(lab):
    lab.workflow("daily", {"list": [], "scan": ["list"]})
    number = lab.start("daily")
    lab.ends(lab.claim())
    [row] = lab.claim()
    spawn(lab, row, FILES)
    lab.run()
    assert lab.command("rerun", number, task="list")[0] == "DONE"
    assert lab.states(number) == {"list": "READY", "scan": "PENDING"}
    lab.succeeds(number)


def test_a_rerun_of_a_spawned_task_runs_it_and_what_comes_after_it(lab):
    number = daily(lab, MERGED)
    lab.run()
    state, answer = lab.command("rerun", number, task="scan[AAPL]")
    assert (state, answer["rerun"]) == ("DONE", ["scan[AAPL]"]), answer
    assert lab.states(number) == STATES
    assert output_of(lab, number) is None
    lab.check()
    lab.succeeds(number)


def test_a_skipped_spawned_task_counts_as_done_and_what_comes_after_it_runs(lab):
    number = failed(lab)
    assert lab.command("skip", number, task="scan[AAPL]", reason="delisted")[0] == "DONE"
    states = lab.states(number)
    assert (states["scan"], states["scan[AAPL]"], states["scan[merge]"]) == ("PENDING", "SKIPPED", "READY")
    lab.check()
    lab.run()
    assert (lab.state(number), lab.states(number)["report"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


@pytest.mark.parametrize("last", ["AAPL", "IBM"])
def test_a_skip_of_the_last_failed_spawned_task_ends_the_spawner(lab, last):
    number = daily(lab, FILES)
    rows = lab.claim()
    lab.finish(*(lab.final(row, FAILED if last in lab.key(row.id) else SUCCESS) for row in rows))
    assert lab.state(number) == "FAILED"
    state, answer = lab.command("skip", number, task=f"scan[{last}]", reason="delisted")
    assert state == "DONE", answer
    assert (lab.states(number)["scan"], lab.states(number)["report"]) == ("SUCCESS", "READY")
    assert output_of(lab, number) == {"AAPL": None, "IBM": None}
    lab.check()
    lab.succeeds(number)


def test_a_skip_of_one_of_two_failures_leaves_the_spawner_failed(lab):
    number = daily(lab, FILES)
    lab.ends(lab.claim(), FAILED)
    assert lab.command("skip", number, task="scan[IBM]", reason="delisted")[0] == "DONE"
    assert (lab.state(number), lab.states(number)["scan"]) == ("FAILED", "FAILED")
    assert error_of(lab, number * ORDINALS).startswith("1 of 2 spawned tasks did not succeed")
    lab.check(drained=True)


def test_a_skip_of_the_failed_spawner_lets_what_comes_after_it_run(lab):
    number = failed(lab)
    assert lab.command("skip", number, task="scan", reason="not today")[0] == "DONE"
    lab.run()
    assert (lab.state(number), lab.states(number)["report"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)
    why = f"task scan of instance {number} was skipped, and what it spawned no longer counts; rerun scan"
    assert lab.command("rerun", number, task="scan[AAPL]") == ("REJECTED", why)


def test_what_a_skipped_task_had_spawned_does_not_keep_others_from_being_retried(lab):
    lab.workflow("daily", {"scan": [], "other": []})
    number = lab.start("daily")
    scan, other = lab.claim()
    spawn(lab, scan, FILES)
    lab.ends([*lab.claim(), other], FAILED)
    assert lab.command("skip", number, task="scan", reason="not today")[0] == "DONE"
    state, answer = lab.command("retry", number)
    assert (state, answer if state != "DONE" else answer["retried"]) == ("DONE", ["other"])
    lab.run()
    assert (lab.state(number), lab.states(number)["scan"]) == ("SUCCESS", "SKIPPED")
    lab.check(drained=True)


def test_a_spawner_that_waits_is_neither_skipped_nor_run_again(lab):
    number = daily(lab)
    assert lab.command("skip", number, task="scan", reason="late") == (
        "REJECTED",
        (
            f"task scan of instance {number} waits for 2 tasks that it spawned and that have not ended; skip those, or "
            "terminate the instance"
        ),
    )
    assert lab.command("rerun", number, task="scan") == (
        "REJECTED",
        (
            f"task scan of instance {number} is PENDING; only a task that has ended is run again: it waits for the tasks "
            "that it spawned"
        ),
    )
    assert lab.command("retry", number, task="scan[MSFT]") == (
        "REJECTED",
        f"task scan of instance {number} has no spawned task 'MSFT'; there are scan[AAPL], scan[IBM]",
    )


def test_params_of_a_spawned_task_are_not_set_by_a_rerun(lab):
    number = daily(lab)
    lab.run()
    assert lab.command("rerun", number, task="scan[IBM]", args='{"set": {"file": "x"}}') == (
        "REJECTED",
        "params of scan[IBM] cannot be set: they were given by the task that spawned it",
    )


def test_a_retry_after_a_termination_continues_with_what_was_spawned(lab):
    number = daily(lab, MERGED)
    first, second = lab.claim()
    lab.ends([first])
    lab.command("terminate", number)
    lab.sweep_all()
    lab.ends([second], FAILED)
    lab.sweep_all()
    assert lab.state(number) == "TERMINATED"
    state, answer = lab.command("retry", number)
    assert state == "DONE", answer
    assert lab.states(number) == {
        "scan": "PENDING",
        "report": "PENDING",
        "scan[AAPL]": "SUCCESS",
        "scan[IBM]": "READY",
        "scan[merge]": "PENDING",
    }
    lab.check()
    lab.succeeds(number)


def test_spawned_tasks_that_are_being_run_keep_a_task_before_their_spawner_from_running_again(lab):
    lab.workflow("daily", {"list": [], "scan": ["list"]})
    number = lab.start("daily")
    lab.ends(lab.claim())
    [row] = lab.claim()
    spawn(lab, row, FILES)
    lab.claim()
    assert lab.command("rerun", number, task="list") == (
        "REJECTED",
        f"scan[AAPL], scan[IBM] of instance {number} is RUNNING; wait for its end, or terminate first",
    )


def test_items_that_spawned_are_retried_by_what_failed_of_it(lab):
    lab.workflow("daily", {"bars": [], "report": ["bars"]}, {"bars": {"map": ["AAPL", "IBM"], "label": "{{ item }}"}})
    number = lab.start("daily")
    aapl, ibm = lab.claim()
    spawn(lab, aapl, {"daily": [], "weekly": ["daily"]})
    lab.ends([ibm])
    lab.ends(lab.claim(), FAILED)
    assert lab.state(number) == "FAILED"
    state, answer = lab.command("retry", number)
    assert (state, answer["retried"]) == ("DONE", ["bars[AAPL/daily]"]), answer
    states = lab.states(number)
    assert (states["bars"], states["bars[AAPL]"], states["bars[IBM]"]) == ("PENDING", "PENDING", "SUCCESS")
    lab.check()
    lab.succeeds(number)
    lab.command("rerun", number, task="bars")
    assert set(lab.states(number)) == {"bars", "report"}
    lab.succeeds(number)


def test_a_task_that_runs_after_a_termination_spawns_anew(lab):
    lab.workflow("daily", {"list": [], "scan": ["list"]}, {"scan": {"trigger_rule": "always", "run_on": "terminate"}})
    number = lab.start("daily")
    lab.ends(lab.claim())
    [row] = lab.claim()
    spawn(lab, row, MERGED)
    lab.command("terminate", number)
    lab.sweep_all()
    lab.sweep_all()  # a round after that in which nothing was open any more
    assert lab.states(number) == {"list": "SUCCESS", "scan": "READY"}
    [row] = lab.claim()
    spawn(lab, row, FILES)
    lab.run()
    lab.sweep_all()
    assert lab.state(number) == "TERMINATED"
    assert set(lab.states(number).values()) == {"SUCCESS"}
    assert output_of(lab, number, "scan") == {"AAPL": None, "IBM": None}
    lab.check(drained=True)


def test_a_trigger_does_not_start_a_spawner_that_waits(lab):
    number = daily(lab)
    assert lab.command("trigger", number, task="scan")[0] == "DONE"
    assert lab.states(number)["scan"] == "PENDING"
    lab.succeeds(number)


@pytest.mark.parametrize("nested", [False, True])
def test_a_retry_of_a_task_that_was_terminated_as_all_that_it_spawned_succeeded_does_not_run_it_again(lab, nested):
    number = daily(lab, FILES)
    rows = lab.claim()
    if nested:
        spawn(lab, rows.pop(0), {"2024": []})
        rows += lab.claim()
    lab.command("terminate", number)
    lab.sweep_all()
    lab.ends(rows)
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)["scan"]) == ("TERMINATED", "CANCELLED")
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    [report] = lab.claim()
    assert lab.key(report.id) == "report", "nothing else is left to do"
    lab.ends([report])
    assert lab.state(number) == "SUCCESS"
    assert set(lab.states(number).values()) == {"SUCCESS"}
    lab.check(drained=True)
    assert lab.command("rerun", number, task="scan")[0] == "DONE"
    assert lab.states(number) == {"scan": "READY", "report": "PENDING"}


@pytest.mark.parametrize("parts", ["items", "spawned tasks"])
def test_parts_that_are_made_anew_leave_nothing_of_the_old_ones(lab, parts):
    """Some wait for a retry, some for a time, others have large outputs."""
    lab.workflow("daily", {"list": [], "scan": ["list"]}, {"scan": {"map": [1, 2, 3]}} if parts == "items" else {})
    number = lab.start("daily")
    lab.ends(lab.claim())
    if parts == "spawned tasks":
        [row] = lab.claim()
        spawn(lab, row, {"a": [], "b": [], "c": []})
    retried, deferred, large = lab.claim()
    batch = Batch(final=[lab.final(large, output="x" * 70_000)], rearmed=[lab.rearmed(retried, 60)])
    batch.rearmed.append(lab.rearmed(deferred, 60)._replace(reason=0, is_deferral=True))
    batch.checkpoints.append((retried.id, retried.fence, "{}"))
    batch.progress.append((retried.id, retried.fence, 1.0, 2.0, ""))
    lab.finish(batch=batch)
    assert lab.command("rerun", number, task="list")[0] == "DONE"
    assert lab.states(number) == {"list": "READY", "scan": "PENDING"}
    for table in ("timer", "deferral", "large_value", "checkpoint", "task_progress"):
        assert lab.sql(f"SELECT count(*) FROM qflow.{table}") == [(0,)], table
    lab.check()
