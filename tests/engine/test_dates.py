"""A business date belongs to the first instance of a workflow that has it: who is refused, and who is let in all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, time

import pytest

from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx
from tests.support.clock import BEIJING
from tests.support.desk import Desk
from tests.support.lab import FAILED, Lab

ONE = {"a": []}
FRIDAY = "2026-11-20"


def answer(lab, number):
    [row] = lab.sql(f"SELECT state, error, error_code FROM qflow.submissions WHERE id = {number}")
    return tuple(row)


def is_in(lab, *numbers):
    return [answer(lab, number)[0] == "ACCEPTED" for number in numbers]


def refusal(lab, number):
    state, error, code = answer(lab, number)
    assert (state, code) == ("REJECTED", Refusal.DATE_TAKEN)
    return error


def holder(lab):
    return [(str(row[0])[:10], row[1]) for row in lab.sql("SELECT business_date, instance_id FROM qflow.dated_run")]


def test_a_second_submission_for_a_date_is_refused_and_told_what_to_do(lab):
    lab.workflow("bars", ONE)
    first, second, other_day = (lab.start("bars", business_date=day) for day in (FRIDAY, FRIDAY, "2026-11-23"))
    without = [lab.start("bars") for _ in range(2)]
    assert refusal(lab, second) == (
        f"workflow 'bars' has instance {first} for business date {FRIDAY}, which is RUNNING: wait for its end, or "
        "terminate it, or submit with allow_duplicates"
    )
    assert is_in(lab, first, other_day, *without) == [True] * 4
    lab.run()
    third = lab.start("bars", business_date=FRIDAY)
    assert "which is SUCCESS: retry or rerun it, or submit with allow_duplicates" in refusal(lab, third)
    lab.workflow("news", ONE)
    lab.workflow("bars", ONE, tenant="other")
    others = [lab.start("news", business_date=FRIDAY), lab.start("bars", business_date=FRIDAY, tenant="other")]
    jobs = [lab.start(job="work", business_date=FRIDAY) for _ in range(2)]
    assert is_in(lab, *others, *jobs) == [True] * 4


def test_one_of_a_batch_is_let_in_and_the_others_name_it(lab):
    lab.workflow("bars", ONE)
    numbers = [lab.submit("bars", business_date=FRIDAY) for _ in range(3)]
    while not lab.admit.tick():
        pass
    assert is_in(lab, *numbers) == [True, False, False]
    assert f"has instance {numbers[0]} for" in refusal(lab, numbers[2])
    assert holder(lab) == [(FRIDAY, numbers[0])]


def test_allow_duplicates_of_a_submission_lets_it_in_and_the_first_keeps_the_date(lab):
    lab.workflow("bars", ONE)
    first = lab.start("bars", business_date=FRIDAY, allow_duplicates=1)
    second = lab.start("bars", business_date=FRIDAY, allow_duplicates=1)
    third = lab.start("bars", business_date=FRIDAY)
    assert is_in(lab, first, second) == [True, True]
    assert f"has instance {first} for" in refusal(lab, third)


def test_allow_duplicates_of_a_workflow_lets_all_in(lab):
    lab.workflow("ticks", ONE, allow_duplicates=True)
    assert is_in(lab, *(lab.start("ticks", business_date=FRIDAY) for _ in range(3))) == [True] * 3


def test_a_retry_and_a_rerun_keep_the_date(lab):
    lab.workflow("bars", ONE)
    first = lab.start("bars", business_date=FRIDAY)
    lab.run({"a": FAILED})
    assert "which is FAILED: retry or rerun it" in refusal(lab, lab.start("bars", business_date=FRIDAY))
    lab.command("retry", first)
    lab.run()
    lab.command("rerun", first, task="a")
    lab.run()
    assert lab.state(first) == "SUCCESS"
    refusal(lab, lab.start("bars", business_date=FRIDAY))
    assert holder(lab) == [(FRIDAY, first)]


def test_one_that_ended_before_it_began_leaves_its_date(lab):
    lab.workflow("bars", ONE)
    held = lab.start("bars", business_date=FRIDAY, hold=1)
    assert "which is READY: resume or terminate it" in refusal(lab, lab.start("bars", business_date=FRIDAY))
    lab.command("terminate", held)
    after = lab.start("bars", business_date=FRIDAY)
    assert (is_in(lab, after), holder(lab)) == ([True], [(FRIDAY, after)])


def test_one_that_is_gone_leaves_its_date(lab):
    lab.workflow("bars", ONE)
    first = lab.start("bars", business_date=FRIDAY)
    lab.run()
    lab.sql(f"DELETE FROM qflow.workflow_instance WHERE id = {first}")
    assert is_in(lab, lab.start("bars", business_date=FRIDAY)) == [True]


def test_one_that_is_skipped_holds_neither_date_nor_key(lab):
    lab.workflow("bars", ONE, concurrency="singleton(skip)")
    lab.start("bars", business_date="2026-11-19")
    skipped = lab.start("bars", business_date=FRIDAY, idempotency_key="noon")
    assert answer(lab, skipped)[1].startswith("skipped: ")
    refused = lab.start("bars", business_date="2026-11-19", idempotency_key="noon")
    refusal(lab, refused)
    lab.run()
    assert is_in(lab, lab.start("bars", business_date=FRIDAY, idempotency_key="noon")) == [True]


def test_a_submission_that_repeats_its_key_is_the_first_ones_instance(lab):
    lab.workflow("bars", ONE)
    first, again = (lab.start("bars", business_date=FRIDAY, idempotency_key="k") for _ in range(2))
    assert lab.sql(f"SELECT instance_id FROM qflow.submissions WHERE id = {again}") == [(first,)]


def admit_all(lab, *numbers):
    """Their answers, once all that was submitted has one."""
    while lab.sql("SELECT COUNT(*) FROM qflow.submissions WHERE is_open = 1") != [(0,)]:
        lab.admit.tick()
    return [answer(lab, number)[0] for number in numbers]


@pytest.mark.parametrize("concurrency", [None, "singleton(skip)"])
def test_what_repeats_one_that_is_not_let_in_is_not_let_in_either(lab, concurrency):
    lab.workflow("bars", ONE, concurrency=concurrency)
    lab.start("bars", business_date=FRIDAY)
    day = "2026-11-23" if concurrency else FRIDAY
    both = [lab.submit("bars", business_date=day, idempotency_key="k") for _ in range(2)]
    assert admit_all(lab, *both) == ["REJECTED", "REJECTED"]


def test_whoever_was_faster_to_take_a_date_over_is_the_one_that_is_named(lab, monkeypatch):
    lab.workflow("bars", ONE)
    gone = lab.start("bars", business_date=FRIDAY)
    lab.run()
    faster = lab.start("bars", business_date="2026-11-23")
    lab.sql(f"DELETE FROM qflow.workflow_instance WHERE id = {gone}")
    count = Tx.count

    def overtaken(tx, statement, **params):
        if statement == "take_over_dates":
            [(definition_id, day, _, former)] = params["rows"]
            count(tx, statement, rows=[(definition_id, day, faster, former)])
        return count(tx, statement, **params)

    monkeypatch.setattr(Tx, "count", overtaken)
    assert f"has instance {faster} for" in refusal(lab, lab.start("bars", business_date=FRIDAY))


def test_children_of_one_instance_share_its_date(lab):
    lab.workflow("bars", ONE)
    lab.define("nightly", {"left": {"workflow": "bars"}, "right": {"workflow": "bars"}})
    lab.start("nightly", business_date=FRIDAY)
    lab.children.tick()
    lab.admit.tick()
    children = lab.sql("SELECT instance_id FROM qflow.child ORDER BY instance_id")
    assert len(children) == 2
    assert is_in(lab, *(number for (number,) in children)) == [True, True]
    assert f"has instance {children[0][0]} for" in refusal(lab, lab.start("bars", business_date=FRIDAY))


def fire(lab, at, schedule=None):
    """Let the clock come to an instant of 2026-11-20 in Shanghai; `schedule`: of workflow bars, which is stored before."""
    desk = Desk(lab)
    desk.clock.time = datetime(2026, 11, 20, at.hour, at.minute, tzinfo=BEIJING)
    if schedule is not None:
        lab.workflow("bars", ONE, schedule=schedule)
    desk.tick()
    lab.admit.tick()


def test_a_cron_expression_fires_as_often_as_it_says(lab):
    fire(lab, time(10, 30), {"cron": "0 * * * *", "calendar": "XSHG"})
    by_hand = lab.start("bars", business_date=FRIDAY)
    for hour in (11, 12, 13):
        fire(lab, time(hour))
    fires = [number for (number,) in lab.sql("SELECT instance_id FROM qflow.schedule_fire ORDER BY fire_at")]
    assert is_in(lab, by_hand, *fires) == [True] * 4


@pytest.mark.parametrize(("ends", "fires"), [({}, False), ({"a": FAILED}, True)])
def test_a_schedule_by_session_does_not_repeat_what_succeeded_by_hand(lab, ends, fires):
    fire(lab, time(12), {"at": "close+30m", "calendar": "XSHG"})
    by_hand = lab.start("bars", business_date=FRIDAY)
    lab.run(ends)
    fire(lab, time(15, 30))
    [(fired,)] = lab.sql("SELECT instance_id FROM qflow.schedule_fire")
    assert is_in(lab, by_hand, fired) == [True, fires]
    assert holder(lab) == [(FRIDAY, fired if fires else by_hand)]
    refusal(lab, lab.start("bars", business_date=FRIDAY))


def test_of_two_in_a_batch_the_fire_by_session_takes_over_what_failed_by_hand(lab):
    fire(lab, time(12), {"at": "close+30m", "calendar": "XSHG"})
    failed = lab.start("bars", business_date=FRIDAY)
    lab.run({"a": FAILED})
    by_hand = lab.submit("bars", business_date=FRIDAY)
    fire(lab, time(15, 30))
    [(fired,)] = lab.sql("SELECT instance_id FROM qflow.schedule_fire")
    assert admit_all(lab, failed, by_hand, fired) == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    assert holder(lab) == [(FRIDAY, fired)]


def test_several_schedules_of_a_workflow_fire_for_one_date(lab):
    desk = Desk(lab)
    desk.clock.time = datetime(2026, 11, 20, 9, tzinfo=BEIJING)
    schedules = {"early": {"at": "open-10m", "calendar": "XSHG"}, "late": {"at": "close+30m", "calendar": "XSHG"}}
    lab.workflow("bars", ONE, schedules=schedules)
    for at in (time(9, 20), time(15, 30)):
        fire(lab, at)
    fires = [number for (number,) in lab.sql("SELECT instance_id FROM qflow.schedule_fire ORDER BY fire_at")]
    assert is_in(lab, *fires) == [True, True]
    assert f"has instance {fires[0]} for" in refusal(lab, lab.start("bars", business_date=FRIDAY))


def test_whoever_takes_a_date_over_and_is_skipped_gives_it_back(lab):
    fire(lab, time(12), {"at": "close+30m", "calendar": "XSHG"})
    failed = lab.start("bars", business_date=FRIDAY)
    lab.run({"a": FAILED})
    lab.workflow(
        "bars", ONE, schedule={"at": "close+30m", "calendar": "XSHG"}, concurrency="singleton(skip)", title="alone"
    )
    lab.start("bars", business_date="2026-11-19")
    fire(lab, time(15, 30))
    [(fired,)] = lab.sql("SELECT instance_id FROM qflow.schedule_fire")
    assert answer(lab, fired)[1].startswith("skipped: ")
    assert (FRIDAY, failed) in holder(lab)


def test_of_two_daemons_at_once_one_lets_a_date_in(lab):
    lab.workflow("bars", ONE)
    numbers = [lab.submit("bars", business_date=f"2026-11-{day:02}") for day in range(2, 22) for _ in range(2)]
    with closing(Lab(lab.url, owner=8)) as other, ThreadPoolExecutor(2) as threads:

        def admit(one, ids):
            for number in ids:
                one.admit._admit((number, number))

        both = [threads.submit(admit, one, numbers[i::2]) for i, one in enumerate((lab, other))]
        for each in both:
            each.result(60)
    pairs = [is_in(lab, *pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    assert all(sorted(pair) == [False, True] for pair in pairs)
    lab.run()
    lab.check(drained=True)


def test_a_batch_without_dates_asks_nothing_and_one_with_them_once(lab, monkeypatch):
    lab.workflow("bars", ONE)
    asked, run = [], Tx.run
    monkeypatch.setattr(Tx, "run", lambda tx, name, *a, **k: asked.append(name) or run(tx, name, *a, **k))
    lab.start("bars")
    lab.start(job="work", business_date=FRIDAY)
    assert "take_dates" not in asked
    for day in (16, 17, 18):
        lab.submit("bars", business_date=f"2026-11-{day}")
    lab.admit.tick()
    assert [name for name in asked if "date" in name] == ["take_dates", "list_date_holders"]
