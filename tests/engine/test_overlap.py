"""Overlap: what is one too many waits for its turn, is skipped, or replaces what runs, as the workflow says."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.definitions.schedules import Schedules
from qflowd.model.errors import StoreUnavailable
from tests.support.lab import FAILED, Lab

ONE = {"a": []}
QUEUED = "SELECT wait_reason FROM qflow.instances WHERE id = {}"


def answer(lab, number):
    [row] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
    return tuple(row)


def states(lab, *numbers):
    return [lab.state(number) for number in numbers]


def wait_reason(lab, number):
    return lab.sql(QUEUED.format(number))[0][0]


def queued_behind(number, workflow="bars"):
    return f"queued behind instance {number} of workflow {workflow}, which is RUNNING"


def next_turns(lab):
    while not lab.turns.tick():
        pass


def test_sequential_instances_run_one_after_the_other_in_the_order_of_their_ids(lab):
    lab.workflow("bars", {"a": [], "b": ["a"]}, concurrency="sequential")
    first, second, third = (lab.start("bars") for _ in range(3))
    assert states(lab, first, second, third) == ["RUNNING", "READY", "READY"]
    assert lab.states(second) == {}
    assert wait_reason(lab, second) == queued_behind(first)
    next_turns(lab)  # nothing has ended
    assert states(lab, first, second, third) == ["RUNNING", "READY", "READY"]
    lab.run()
    assert wait_reason(lab, second) == "queued, and its turn comes next"
    next_turns(lab)
    assert states(lab, first, second, third) == ["SUCCESS", "RUNNING", "READY"]
    assert wait_reason(lab, third) == queued_behind(second)
    lab.run()
    next_turns(lab)
    lab.run()
    assert states(lab, first, second, third) == ["SUCCESS"] * 3
    lab.check(drained=True)


def test_several_submissions_of_one_batch_take_turns_too(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    numbers = [lab.submit("bars") for _ in range(3)]
    lab.admit.tick()
    assert states(lab, *numbers) == ["RUNNING", "READY", "READY"]


def test_the_next_begins_however_the_one_before_it_ended(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    first, second, third = (lab.start("bars") for _ in range(3))
    lab.run({"a": FAILED})
    next_turns(lab)
    lab.command("terminate", second)
    lab.sweep.tick()
    next_turns(lab)
    assert states(lab, first, second, third) == ["FAILED", "TERMINATED", "RUNNING"]


def test_one_that_is_terminated_while_it_waits_leaves_the_queue(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    first, second, third = (lab.start("bars") for _ in range(3))
    lab.command("terminate", second)
    lab.run()
    next_turns(lab)
    assert states(lab, first, second, third) == ["SUCCESS", "TERMINATED", "RUNNING"]


def test_parallel_with_a_maximum_runs_so_many_at_once(lab):
    lab.workflow("bars", ONE, concurrency={"max": 2})
    numbers = [lab.start("bars") for _ in range(5)]
    assert states(lab, *numbers) == ["RUNNING", "RUNNING", "READY", "READY", "READY"]
    lab.run()
    next_turns(lab)
    assert states(lab, *numbers) == ["SUCCESS", "SUCCESS", "RUNNING", "RUNNING", "READY"]
    lab.run()
    next_turns(lab)
    lab.run()
    lab.check(drained=True)


def test_a_singleton_that_skips_refuses_what_comes_while_one_runs_and_gives_its_idempotency_key_back(lab):
    lab.workflow("bars", ONE, concurrency="singleton(skip)")
    first = lab.start("bars")
    second = lab.start("bars", idempotency_key="noon")
    why = f"skipped: instance {first} of workflow 'bars' is running (singleton(skip))"
    assert answer(lab, second) == ("REJECTED", why)
    lab.run()
    third = lab.start("bars", idempotency_key="noon")
    assert (answer(lab, third)[0], lab.state(third)) == ("ACCEPTED", "RUNNING")


def test_a_singleton_that_queues_has_one_wait_and_skips_others(lab):
    lab.workflow("bars", ONE, concurrency="singleton(queue)")
    first, second, third = (lab.start("bars") for _ in range(3))
    why = f"skipped: instance {second} of workflow 'bars' is already waiting (singleton(queue))"
    assert answer(lab, third) == ("REJECTED", why)
    lab.run()
    next_turns(lab)
    assert states(lab, first, second) == ["SUCCESS", "RUNNING"]


def test_a_singleton_that_replaces_begins_when_the_one_it_terminates_has_ended(lab):
    lab.workflow("bars", ONE, concurrency="singleton(replace)")
    first = lab.start("bars")
    [row] = lab.claim()
    second = lab.start("bars")
    lab.commands.tick()
    lab.sweep.tick()
    next_turns(lab)
    assert states(lab, first, second) == ["RUNNING", "READY"]  # its task is still held by a daemon
    third = lab.start("bars")  # takes the place of the one that waits
    assert lab.column("workflow_instance", "error", second) == f"replaced by instance {third} before it began"
    lab.finish(lab.final(row))
    lab.commands.tick()
    lab.sweep.tick()
    next_turns(lab)
    assert states(lab, second, third) == ["TERMINATED", "RUNNING"]
    asked = lab.sql(f"SELECT reason, requested_by FROM qflow.commands WHERE instance_id = {first} ORDER BY id")
    assert tuple(asked[0]) == (f"replaced by instance {second}", "concurrency:bars")
    lab.run()
    lab.check(drained=True)


def test_of_one_batch_the_last_submission_replaces_those_before_it(lab):
    lab.workflow("bars", ONE, concurrency="singleton(replace)")
    numbers = [lab.submit("bars") for _ in range(3)]
    lab.admit.tick()
    lab.commands.tick()
    lab.sweep.tick()
    next_turns(lab)
    assert states(lab, *numbers) == ["TERMINATED", "TERMINATED", "RUNNING"]


def test_instances_of_different_keys_do_not_wait_for_each_other(lab):
    lab.workflow("orders", ONE, concurrency={"keyed": "{{ params.account }}"})
    numbers = [lab.start("orders", params=f'{{"account": "{account}"}}') for account in ("A", "B", "A", "B", "a")]
    assert states(lab, *numbers) == ["RUNNING", "RUNNING", "READY", "READY", "RUNNING"]
    assert wait_reason(lab, numbers[3]) == queued_behind(numbers[1], "orders")
    lab.run()
    next_turns(lab)
    assert states(lab, *numbers) == ["SUCCESS", "SUCCESS", "RUNNING", "RUNNING", "SUCCESS"]


@pytest.mark.parametrize("account", ["x" * 500, "招商", 7, None, ["a", {"b": 1}]])
def test_a_key_may_be_any_value(lab, account):
    lab.workflow("orders", ONE, concurrency={"keyed": "{{ params.account }}"})
    params = json.dumps({"account": account})
    first, second, other = (
        lab.start("orders", params=params),
        lab.start("orders", params=params),
        lab.start("orders", params='{"account":"other"}'),
    )
    assert states(lab, first, second, other) == ["RUNNING", "READY", "RUNNING"]


def test_a_key_that_cannot_be_evaluated_rejects_the_submission(lab):
    lab.workflow("orders", ONE, concurrency={"keyed": "{{ params.account }}"})
    number = lab.start("orders")
    state, error = answer(lab, number)
    assert (state, error.split(":")[0]) == ("REJECTED", "the key of concurrency cannot be evaluated")


def test_workflows_and_tenants_take_turns_among_themselves(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    lab.workflow("ticks", ONE, concurrency="sequential")
    assert states(lab, lab.start("bars"), lab.start("ticks")) == ["RUNNING", "RUNNING"]


def test_what_a_schedule_fires_while_one_runs_follows_the_policy(lab):
    lab.workflow("bars", ONE, concurrency="singleton(skip)", schedule="* * * * *")
    schedules = Schedules(lab.store, lab.topics)
    for _ in range(2):
        lab.clock.advance(60)
        schedules.tick()
        lab.admit.tick()
    fires = lab.sql("SELECT state, error FROM qflow.fires ORDER BY fire_at")
    [number] = lab.sql("SELECT id FROM qflow.instances")[0]
    why = f"skipped: instance {number} of workflow 'bars' is running (singleton(skip))"
    assert [tuple(row) for row in fires] == [("RUNNING", None), ("REJECTED", why)]


def test_a_held_instance_is_not_in_the_way_and_takes_its_turn_when_it_is_resumed(lab):
    lab.workflow("bars", ONE, concurrency="sequential", timeout="1m")
    held = lab.start("bars", hold=1)
    running = lab.start("bars")
    assert states(lab, held, running) == ["READY", "RUNNING"]
    assert wait_reason(lab, held) == "held until it is resumed"
    assert lab.command("resume", held) == ("DONE", {"instance_id": held, "queued": True})
    assert wait_reason(lab, held) == queued_behind(running)
    why = f"instance {held} is READY, queued behind another one of its workflow, and begins by itself; possible now: terminate"
    assert lab.command("resume", held) == ("REJECTED", why)
    lab.run()
    lab.clock.advance(100)
    next_turns(lab)
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", held) == 0  # its timeout began with its turn
    assert lab.state(held) == "RUNNING"


def test_a_held_instance_of_a_singleton_that_skips_cannot_be_resumed_while_one_runs(lab):
    lab.workflow("bars", ONE, concurrency="singleton(skip)")
    held = lab.start("bars", hold=1, idempotency_key="noon")
    running = lab.start("bars")
    why = f"skipped: instance {running} of workflow 'bars' is running (singleton(skip))"
    assert lab.command("resume", held) == ("REJECTED", why)
    lab.run()
    assert lab.command("resume", held)[0] == "DONE"
    lab.start("bars", hold=1, idempotency_key="noon")  # it is the same
    assert lab.sql("SELECT COUNT(*) FROM qflow.workflow_instance") == [(2,)]


def test_a_retry_takes_a_free_place_and_is_refused_where_there_is_none(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    first = lab.start("bars")
    lab.run({"a": FAILED})
    second = lab.start("bars")
    why = (
        f"instance {second} is running, and `concurrency` of workflow 'bars' lets 1 run at once; "
        "try again when it has ended, or terminate it"
    )
    assert lab.command("retry", first) == ("REJECTED", why)
    lab.run()
    assert lab.command("retry", first)[0] == "DONE"
    third = lab.start("bars")
    assert states(lab, first, second, third) == ["RUNNING", "SUCCESS", "READY"]
    lab.run()
    next_turns(lab)
    lab.run()
    lab.check(drained=True)


def test_a_waiting_instance_cannot_be_retried(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    lab.start("bars")
    second = lab.start("bars")
    why = f"instance {second} is READY, queued behind another one of its workflow and has not begun; possible now: terminate"
    assert lab.command("retry", second) == ("REJECTED", why)


def test_one_that_cannot_begin_fails_and_those_behind_it_get_their_turn(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    first, second, third = (lab.start("bars") for _ in range(3))
    lab.sql(f"DELETE FROM qflow.submissions WHERE id = {second}")
    lab.run()
    next_turns(lab)
    assert states(lab, first, second, third) == ["SUCCESS", "FAILED", "RUNNING"]
    error = f"could not begin: submission {second} was deleted before its instance began; submit it again"
    assert lab.column("workflow_instance", "error", second) == error


def test_a_queued_instance_keeps_its_version_and_a_lane_is_made_for_it_where_it_is_missing(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    lab.start("bars")
    second = lab.start("bars", overrides='{"tasks":{"a":{"priority":7}}}')
    lab.workflow("bars", {"b": []})
    lab.run()
    other = Lab(lab.url)
    while not other.turns.tick():
        pass
    other.close()
    assert lab.states(second) == {"a": "READY"}


def test_in_a_paused_workflow_nobody_gets_a_turn_not_even_by_a_look_from_before_the_pause(lab):
    lab.workflow("bars", ONE, concurrency="sequential")
    first, second = lab.start("bars"), lab.start("bars")
    lab.run()
    [queue] = lab.store.read(lambda tx: tx.run("list_queues"))
    assert lab.command("pause", workflow="bars")[0] == "DONE"
    assert not lab.store.transact(lambda tx: lab.turns.begin_next(tx, queue), name="begin_next")
    next_turns(lab)
    assert states(lab, first, second) == ["SUCCESS", "READY"]
    assert wait_reason(lab, second) == "queued, and the workflow is paused"
    assert lab.store.read(lambda tx: tx.one("count_open", now=tx.now)).turns == 0
    assert lab.command("resume", workflow="bars")[0] == "DONE"
    assert lab.store.read(lambda tx: tx.one("count_open", now=tx.now)).turns == 1
    next_turns(lab)
    assert lab.state(second) == "RUNNING"


@pytest.mark.parametrize("lost", ["admit_batch", "begin_next"])
def test_a_commit_whose_reply_was_lost_begins_nothing_twice(database_url, lost):
    failures = [(lost, "after_commit")]

    def fault(name, point):
        if (name, point) in failures:
            failures.remove((name, point))
            raise StoreUnavailable("the reply was lost")

    lab = Lab(database_url, fault=fault)
    lab.workflow("bars", ONE, concurrency="sequential")
    numbers = [lab.submit("bars") for _ in range(3)]
    services = [lab.admit, lab.turns]
    for _ in range(3):
        for service in services:
            try:
                while not service.tick():
                    pass
            except StoreUnavailable:
                service.tick()
        lab.run()
    assert not failures
    assert states(lab, *numbers) == ["SUCCESS"] * 3
    assert lab.sql("SELECT COUNT(*) FROM qflow.task_instance") == [(3,)]
    lab.check(drained=True)
    lab.close()
