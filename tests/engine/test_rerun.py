"""Rerun: one task starts anew whatever it came to, and so does all that waits for it."""

import json

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.plans.gather import gather
from qflowd.engine.plans.render import render
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from qflowd.model.workflow import Job
from tests.support.lab import FAILED, SKIPPED

#   a ─ b ─ d ─ e
#   └── c ──┘
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"]}
CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


def ended(lab, tasks=DIAMOND, outcomes=None, **more):
    lab.workflow("flow", tasks, **more)
    number = lab.start("flow")
    lab.run(outcomes)
    return number


def sent(lab):
    """Claim what is ready; task key -> the assignment that a worker is sent."""
    rows = lab.claim()
    assignments = {}

    def read(tx):
        lab.instances.load_claimed(tx, rows)
        lane = lab.lane(lab.column("task_instance", "lane", rows[0].id))
        gathered = gather(tx, lab.instances, (lane, rows))
        groups, failed = render(gathered, None)
        assert not failed
        for group in groups:
            assignments.update((lab.key(task.task_id), (task, group.shared)) for task in group.assignments)

    lab.store.read(read)
    return rows, assignments


def params(lab, key="a"):
    rows, assignments = sent(lab)
    task, shared = assignments[key]
    return rows, json.loads(shared[task.params] if isinstance(task.params, int) else task.params)


def test_a_task_that_succeeded_runs_again_and_so_does_all_below_it(lab):
    number = ended(lab)
    answer = {"instance_id": number, "rerun": ["b"], "tasks": 1, "restarted": 3}
    assert lab.command("rerun", number, task="b") == ("DONE", answer)
    assert lab.state(number) == "RUNNING"
    assert lab.states(number) == {"a": "SUCCESS", "b": "READY", "c": "SUCCESS", "d": "PENDING", "e": "PENDING"}
    lab.check()
    lab.run()
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


def test_the_run_before_stays_among_the_attempts(lab):
    number = ended(lab, {"a": []})
    lab.command("rerun", number, task="a")
    lab.run()
    shown = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert [(row.attempt, row.state) for row in shown] == [(1, "SUCCESS"), (1, "SUCCESS")]


def test_a_failed_task_and_one_that_was_skipped_by_its_job_run_again(lab):
    number = ended(lab, {"a": [], "b": []}, {"a": FAILED, "b": SKIPPED})
    assert lab.command("rerun", number, task="a")[0] == lab.command("rerun", number, task="b")[0] == "DONE"
    lab.run()
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


def test_a_task_of_a_running_instance_runs_again_beside_others(lab):
    lab.workflow("flow", {"a": [], "b": [], "c": ["a", "b"]})
    number = lab.start("flow")
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.ends([rows["a"]])
    assert lab.command("rerun", number, task="a")[0] == "DONE"
    assert lab.states(number) == {"a": "READY", "b": "RUNNING", "c": "PENDING"}
    lab.check()
    lab.ends([rows["b"]])
    lab.succeeds(number)


def test_a_single_job_runs_again(lab):
    number = lab.start(job="work")
    lab.run()
    assert lab.command("rerun", number, task="work")[0] == "DONE"
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_a_retry_that_was_waiting_below_begins_anew(lab):
    lab.workflow("flow", CHAIN)
    number = lab.start("flow")
    lab.ends(lab.claim())
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[lab.rearmed(row, 3600)]))
    assert lab.command("rerun", number, task="a")[0] == "DONE"
    assert lab.sql("SELECT COUNT(*) FROM qflow.timer") == [(0,)]
    lab.succeeds(number)


# ------------------------------------------------------------------------------------------------ params


def test_set_changes_params_of_the_task_and_keeps_the_others(lab):
    tasks = {"a": {"job": "work", "params": {"symbol": "IBM", "day": "{{ params.day }}"}}}
    lab.define("flow", tasks)
    number = lab.start("flow", params='{"day": "2026-11-20"}')
    rows, before = params(lab)
    assert before == {"symbol": "IBM", "day": "2026-11-20"}
    lab.ends(rows)
    assert lab.command("rerun", number, task="a", args='{"set": {"symbol": "AAPL"}}')[0] == "DONE"
    rows, after = params(lab)
    assert after == {"symbol": "AAPL", "day": "2026-11-20"}
    lab.ends(rows)
    lab.command("rerun", number, task="a", args='{"set": {"day": "2026-11-19"}}')
    assert params(lab)[1] == {"symbol": "AAPL", "day": "2026-11-19"}


def test_params_that_were_set_reach_a_daemon_that_knows_the_instance(lab):
    """Another task of it runs here meanwhile, so the instance is never forgotten."""
    lab.workflow("flow", {"a": [], "b": []})
    number = lab.start("flow")
    rows, before = params(lab)
    assert before == {}
    lab.ends([row for row in rows if lab.key(row.id) == "a"])
    lab.command("rerun", number, task="a", args='{"set": {"symbol": "AAPL"}}')
    assert params(lab)[1] == {"symbol": "AAPL"}
    # A second time: its round is newer than any other of the instance, though the other task never restarted.
    [(round_,)] = lab.sql(f"SELECT MAX(round) FROM qflow.task_instance WHERE id >= {number * ORDINALS}")
    assert round_ == 1


def test_params_are_adapted_to_the_job_and_faults_are_refused(lab):
    schema = {
        "type": "object",
        "properties": {"symbol": {"type": "string"}, "lots": {"type": "integer"}},
        "required": ["symbol", "lots"],
        "additionalProperties": False,
    }
    lab.jobs.own = {"work": Job(name="work", module="", file="work.py", hash="h", params_schema=schema)}
    lab.define("flow", {"a": {"job": "work", "params": {"symbol": "600519", "lots": 1}}})
    number = lab.start("flow")
    lab.run()
    state, error = lab.command("rerun", number, task="a", args='{"set": {"simbol": "1", "lots": "many"}}')
    assert state == "REJECTED"
    assert "simbol" in error
    assert '"many" is not of type "integer"' in error
    assert lab.states(number) == {"a": "SUCCESS"}
    assert lab.command("rerun", number, task="a", args='{"set": {"symbol": 519}}')[0] == "DONE"
    assert params(lab)[1] == {"symbol": "519", "lots": 1}


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ('{"sett": {"x": 1}}', "args.sett"),
        ('{"set": 5}', "args.set: must hold keys and values"),
        ("[1]", "args: must be a JSON object"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(lab, args, error):
    number = ended(lab, {"a": []})
    state, text = lab.command("rerun", number, task="a", args=args)
    assert state == "REJECTED"
    assert error in text


# ------------------------------------------------------------------------------------------------ maps


def a_map(lab, symbols, outcomes=None):
    tasks = {
        "universe": {"job": "work"},
        "bars": {"job": "work", "after": "universe", "map": symbols, "label": "{{ item }}"},
        "report": {"job": "work", "after": "bars"},
    }
    lab.define("flow", tasks)
    number = lab.start("flow")
    lab.run(outcomes)
    return number


def test_a_map_that_is_run_again_makes_all_its_items_anew(lab):
    number = a_map(lab, ["AAPL", "IBM"])
    assert lab.command("rerun", number, task="bars")[0] == "DONE"
    assert list(lab.states(number).values()) == ["SUCCESS", "READY", "PENDING"]
    lab.run()
    assert set(lab.states(number).values()) == {"SUCCESS"}
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 5)
    lab.check(drained=True)


def test_params_of_one_item_are_not_set_for_all(lab):
    number = a_map(lab, ["AAPL", "IBM"])
    state, error = lab.command("rerun", number, task="bars[IBM]", args='{"set": {"symbol": "IBM2"}}')
    assert (state, error) == (
        "REJECTED",
        "params of bars[IBM] cannot be set: all items of bars have the same; rerun bars with them, or that item without",
    )
    assert lab.command("rerun", number, task="bars", args='{"set": {"symbol": "IBM2"}}')[0] == "DONE"
    lab.check()


def test_one_item_runs_again_by_its_label_and_what_is_behind_the_map(lab):
    number = a_map(lab, ["AAPL", "IBM"])
    assert lab.command("rerun", number, task="bars[IBM]")[1]["restarted"] == 3
    states = {
        "universe": "SUCCESS",
        "bars": "PENDING",
        "report": "PENDING",
        "bars[AAPL]": "SUCCESS",
        "bars[IBM]": "READY",
    }
    assert lab.states(number) == states
    lab.check()
    lab.succeeds(number)


# ------------------------------------------------------------------------------------------------ checkpoints


def with_checkpoints(lab, outcome):
    lab.workflow("flow", {"a": []})
    number = lab.start("flow")
    [row] = lab.claim()
    lab.finish(batch=Batch(final=[lab.final(row, outcome)], checkpoints=[(row.id, row.fence, '{"page":7}')]))
    return number


def test_a_task_that_failed_continues_from_its_checkpoint(lab):
    number = with_checkpoints(lab, FAILED)
    lab.command("rerun", number, task="a")
    _, assignments = sent(lab)
    assert assignments["a"][0].saved == '{"page":7}'


@pytest.mark.parametrize(("outcome", "args"), [(TaskState.SUCCESS, None), (FAILED, '{"set": {"symbol": "AAPL"}}')])
def test_a_task_that_succeeded_or_has_other_params_begins_at_the_start(lab, outcome, args):
    number = with_checkpoints(lab, outcome)
    lab.command("rerun", number, task="a", args=args)
    _, assignments = sent(lab)
    assert assignments["a"][0].saved is None


# ------------------------------------------------------------------------------------------------ refusals


def test_a_task_that_has_not_ended_is_not_run_again(lab):
    lab.workflow("flow", CHAIN)
    number = lab.start("flow")
    rule = "only a task that has ended is run again"
    waits = f"task c of instance {number} is PENDING; {rule}: it is still to run anyway"
    assert lab.command("rerun", number, task="c") == ("REJECTED", waits)
    lab.claim()
    runs = f"task a of instance {number} is RUNNING; {rule}: wait for its end, or terminate the instance first"
    assert lab.command("rerun", number, task="a") == ("REJECTED", runs)


def test_nothing_is_run_again_while_a_task_below_it_is_running(lab):
    lab.workflow("flow", CHAIN)
    number = lab.start("flow")
    lab.ends(lab.claim())
    lab.claim()
    state, error = lab.command("rerun", number, task="a", args='{"set": {"symbol": "AAPL"}}')
    assert (state, error) == ("REJECTED", f"b of instance {number} is RUNNING; wait for its end, or terminate first")
    assert lab.states(number) == {"a": "SUCCESS", "b": "RUNNING", "c": "PENDING"}
    assert lab.column("workflow_instance", "overrides", number) is None
    lab.check()


def test_a_task_that_could_not_run_names_what_is_to_be_run_instead(lab):
    number = ended(lab, CHAIN, {"a": FAILED})
    error = "task b is UPSTREAM_FAILED and cannot run: a before it did not succeed; rerun that"
    assert lab.command("rerun", number, task="b") == ("REJECTED", error)
    lab.check(drained=True)


def test_a_task_whose_condition_still_does_not_hold_is_refused(lab):
    number = ended(lab, {"a": [], "b": {"a": "{{ 1 > 2 }}"}})
    state, error = lab.command("rerun", number, task="b")
    assert (state, error) == (
        "REJECTED",
        "task b is SKIPPED and would be skipped again: a condition does not hold, or a task before it was skipped",
    )


def test_without_a_task_or_with_an_unknown_one_it_is_refused(lab):
    number = ended(lab, CHAIN)
    assert lab.command("rerun", number)[1] == "rerun needs a task; `retry` runs all tasks again that failed"
    assert lab.command("rerun", number, task="z")[1] == f"instance {number} has no task 'z'; there are a, b, c"


def test_an_instance_that_has_no_rows_or_is_being_terminated_is_refused(lab):
    lab.workflow("flow", CHAIN)
    held, number = lab.start("flow", hold=1), lab.start("flow")
    lab.claim()
    assert (
        lab.command("rerun", held, task="a")[1]
        == f"instance {held} is READY and has not begun; possible now: resume, start, terminate"
    )
    lab.command("terminate", number)
    error = f"instance {number} is RUNNING and being terminated; wait until it is TERMINATED"
    assert lab.command("rerun", number, task="a")[1] == error
