"""Commands for many instances that a filter selects: carried out step by step, whatever is lost between."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from qflowd.engine.commands import bulk
from qflowd.engine.commands.control import VERBS
from qflowd.engine.commands.inbox import Commands
from tests.support.bulk import CHAIN, DRY, failed, many, of_workflow, to_the_end, wait_reason
from tests.support.lab import Lab


def test_what_a_filter_selects_is_retried_and_nothing_else(chains):
    old = failed(chains, "daily_bars")
    chains.clock.advance(3 * 86400)
    new, other = failed(chains, "daily_news", 2), failed(chains, "chain")
    chains.sql("UPDATE qflow.workflow_instance SET created_at = started_at")  # by the clock that was set
    answer = many(chains, "retry", state="FAILED", workflow="daily_*", since="2d")
    assert answer == ("DONE", {"matched": 2, "done": 2, "refused": 0, "refusals": {}})
    assert [chains.state(number) for number in [*old, *new, *other]] == ["FAILED", "RUNNING", "RUNNING", "FAILED"]
    chains.run()
    chains.check(drained=True)


def test_every_condition_is_met(chains):
    number = chains.start("chain", business_date="2026-11-20", trigger_type="cron")
    chains.start("chain", business_date="2026-11-19", trigger_type="cron")
    chains.start("chain", business_date="2026-11-20")
    since = (chains.clock.now() - timedelta(hours=1)).isoformat()
    about = {"state": ["RUNNING", "PAUSED"], "business_date": "2026-11-20", "trigger_type": "cron", "since": since}
    assert many(chains, "pause", **about)[1]["done"] == 1
    assert chains.state(number) == "PAUSED"


def test_a_dry_run_lists_what_it_would_touch_and_touches_nothing(chains):
    numbers = failed(chains, count=2)
    answer = many(chains, "retry", {"args": DRY}, state="FAILED")
    assert len(answer[1].pop("digest")) == 32
    result = {"retried": ["a"], "tasks": 1, "restarted": 2}
    about = {"workflow": "chain", "state": "FAILED", "result": result}
    counts = {"matched": 2, "done": 2, "refused": 0, "refusals": {}, "tasks": 4, "dry_run": True}
    assert answer == ("DONE", counts | {"instances": [{"id": number} | about for number in numbers]})
    state, of_all = of_workflow(chains, "retry", args=DRY)
    assert (state, of_all | {"digest": None}) == ("DONE", {"workflow": "chain", "digest": None} | answer[1])
    one = chains.command("retry", numbers[0], args=DRY)
    assert one == ("DONE", {"instance_id": numbers[0], **result, "dry_run": True})
    assert {chains.state(number) for number in numbers} == {"FAILED"}
    assert of_workflow(chains, "resume", args=DRY)[1].startswith("workflow 'chain' is not paused; ")
    empty = of_workflow(chains, "pause", args=DRY)[1]
    effect = "workflow 'chain' would be paused: its schedule does not fire, and new instances begin PAUSED"
    assert (empty["matched"], empty["effect"]) == (0, effect)
    assert wait_reason(chains) is None
    state, error = chains.command("activate", workflow="chain", args='{"version": 1, "dry_run": true}')
    assert (state, error.split(";")[0]) == ("REJECTED", "args.dry_run: there is no dry run of activate")


@pytest.mark.parametrize(("action", "columns"), [("retry", {}), ("rerun", {"task": "a"})])
def test_a_dry_run_knows_that_only_one_of_a_workflow_has_a_place(lab, action, columns):
    lab.workflow("closing", CHAIN, concurrency="sequential")
    first, second = failed(lab, "closing"), failed(lab, "closing")
    rehearsed = many(lab, action, columns | {"args": DRY}, state="FAILED")[1]
    done = many(lab, action, columns, state="FAILED")[1]
    assert [row["id"] for row in rehearsed["instances"]] == first
    assert (rehearsed["done"], rehearsed["refusals"]) == (1, done["refusals"])
    assert done["refusals"][str(second[0])].startswith(f"instance {first[0]} is running, and `concurrency` ")


def test_a_dry_run_knows_that_the_second_one_is_queued_behind_the_first(lab):
    lab.workflow("closing", CHAIN, concurrency="singleton(queue)")
    numbers = [lab.start("closing", hold=1) for _ in range(3)]
    rehearsed = many(lab, "start", {"args": DRY}, state="READY")[1]
    assert [row["result"] for row in rehearsed["instances"]] == [{"tasks": 2}, {"queued": True}]
    done = many(lab, "start", state="READY")[1]
    assert (done["done"], list(done["refusals"]), rehearsed["refusals"]) == (2, [str(numbers[2])], done["refusals"])


def test_a_filter_that_matches_nothing_is_rejected(chains, monkeypatch):
    monkeypatch.setattr(bulk, "LOOKS", 1)
    for _ in range(2):
        chains.start("chain")
    said = "no instance matches state=FAILED, workflow=daily_*; `qflowd ps` lists those there are"
    assert many(chains, "retry", state="FAILED", workflow="daily_*") == ("REJECTED", said)
    assert chains.sql("SELECT COUNT(*) FROM qflow.bulk_command") == [(0,)]


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ({}, "is empty, which would be every instance; there are ids, state, workflow, "),
        ({"state": "BROKEN"}, "there is no state 'BROKEN'; there are OPEN, READY, "),
        ({"since": "yesterday"}, 'must be a duration such as "2d" or an instant, not '),
        ({"since": "12"}, 'since: 12 has no unit; write "12m" for minutes, "12h" for hours or "12d" for days'),
        ({"since": 12}, 'since: 12 has no unit; write "12m" for minutes, "12h" for hours or "12d" for days'),
        ({"stat": "FAILED"}, "unknown key; did you mean state?"),
        ({"business_date": "2026-13-01"}, "business_date"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_rejected(chains, conditions, why):
    state, error = many(chains, "pause", **conditions)
    assert (state, error.startswith("filter: ")) == ("REJECTED", True)
    assert why in error


def test_an_action_that_is_not_for_many_instances_says_which_are(chains):
    state, error = many(chains, "enable", state="OPEN")
    assert (state, error.split(";")[0]) == ("REJECTED", "enable does not take a filter")


def test_what_is_refused_is_counted_and_says_why(chains):
    number, other = chains.start("chain"), chains.start("chain", hold=1)
    state, result = many(chains, "pause", state="OPEN")
    assert (state, result["matched"], result["done"], result["refused"]) == ("DONE", 2, 1, 1)
    assert result["refusals"][str(other)].startswith(f"instance {other} is READY; only one that is RUNNING")
    assert chains.state(number) == "PAUSED"
    again = many(chains, "pause", state="OPEN")[1]
    assert (again["done"], again["unchanged"], again["refused"]) == (0, 1, 1)
    assert chains.command("pause", number)[1]["already"] == f"instance {number} is already PAUSED"
    whole = {"task": "b", "args": DRY}
    assert of_workflow(chains, "pause", **whole)[1]["done"] == 2
    assert chains.sql("SELECT COUNT(*) FROM qflow.paused_task") == [(0,)]
    for already in (None, "task 'b' is already paused in workflow 'chain'"):
        assert of_workflow(chains, "pause", task="b")[1].get("already") == already
    assert wait_reason(chains).startswith("task b is paused in all instances since 2026-11-20")
    effect = (
        "task 'b' of workflow 'chain' is resumed in all instances, except in instances where it was paused separately"
    )
    assert of_workflow(chains, "resume", task="b")[1]["effect"] == effect


def test_instances_of_other_tenants_are_not_touched(chains):
    number = chains.start(job="work", tenant="others")
    chains.start("chain")
    assert many(chains, "terminate", state="OPEN")[1]["matched"] == 1
    assert chains.column("workflow_instance", "intent", number) == 0


def test_thousands_are_done_in_bounded_steps_and_the_result_tells_how_far_it_is(chains, monkeypatch):
    monkeypatch.setitem(VERBS, "pause", VERBS["pause"]._replace(batch=3))
    monkeypatch.setattr(bulk, "LOOKS", 5)
    numbers = [chains.start("chain") for _ in range(8)]
    asked = chains.ask("pause", filter='{"workflow":"chain"}')
    assert chains.commands.tick() == 0
    [(state, result)] = chains.sql(f"SELECT state, result FROM qflow.commands WHERE id = {asked}")
    assert (state, json.loads(result)) == ("NEW", {"total": 8, "matched": 3, "done": 3, "refused": 0, "refusals": {}})
    late = chains.start("chain")
    # Another daemon continues where this one was lost.
    chains.commands = Commands(chains.store, chains.plans, chains.lanes, chains.jobs, chains.topics)
    assert to_the_end(chains, asked)[1]["done"] == 8
    assert {chains.state(number) for number in numbers} == {"PAUSED"}
    assert chains.state(late) == "RUNNING", "it was not there when the command was taken"
    assert chains.sql("SELECT COUNT(*) FROM qflow.bulk_command") == [(0,)]


def test_a_step_of_a_dry_run_that_two_daemons_take_at_once_counts_once(chains, monkeypatch):
    monkeypatch.setattr(bulk, "REHEARSED", 3)
    numbers, other = failed(chains, count=8), Lab(chains.url)
    chains.just_before("rehearse", other.commands.tick)
    result = many(chains, "retry", {"args": DRY}, state="FAILED")[1]
    assert (result["matched"], [row["id"] for row in result["instances"]]) == (8, numbers)
    other.close()


def test_what_a_client_writes_as_result_does_not_say_where_a_command_continues(chains):
    number = chains.start("chain")
    chains.sql(
        "INSERT INTO qflow.commands (action, filter, result) VALUES "
        """('pause', '{"state":"OPEN"}', '{"after":99999,"last":99999,"matched":5}')"""
    )
    while not chains.commands.tick():
        pass
    assert chains.state(number) == "PAUSED"


def test_what_is_refused_for_one_instance_is_left_as_it_was(chains):
    number = chains.start("chain")
    chains.command("terminate", number)
    chains.sweep_all()
    before = chains.sql("SELECT * FROM qflow.task_instance"), chains.sql("SELECT * FROM qflow.workflow_instance")
    state, result = many(chains, "retry", {"task": "b"}, state="TERMINATED")
    assert (state, result["done"], result["refused"]) == ("DONE", 0, 1)
    assert "task b is CANCELLED and cannot run: a before it did not succeed" in result["refusals"][str(number)]
    after = chains.sql("SELECT * FROM qflow.task_instance"), chains.sql("SELECT * FROM qflow.workflow_instance")
    assert after == before


def test_what_is_refused_after_something_was_written_is_undone_and_the_others_are_done(lab):
    lab.workflow("closing", CHAIN, concurrency="singleton(skip)")
    lab.workflow("chain", CHAIN)
    running, other = lab.start("closing"), lab.start("chain", hold=1)
    held = lab.start("closing", hold=1, idempotency_key="2026-11-20")
    state, result = many(lab, "resume", state="READY")
    assert (state, result["done"], result["refused"]) == ("DONE", 1, 1)
    assert result["refusals"][str(held)].startswith(f"skipped: instance {running} of workflow 'closing' is running")
    keys = lab.sql("SELECT instance_id FROM qflow.run_key WHERE run_key = '2026-11-20'")
    assert keys == [(held,)], "it is still to begin, so its key is not free"
    assert (lab.state(held), lab.state(other)) == ("READY", "RUNNING")
