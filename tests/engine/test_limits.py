"""Limits: slots are taken with the claim and come back with whatever ends the ownership of a row."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.engine.limits.limit_repair import LimitRepair
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.engine.maps import fan_out
from tests.support.lab import FAILED, Lab
from tests.support.limits import claim, end, have_job, set_limits, used


def test_no_more_rows_are_claimed_than_slots_are_free(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 1})
    for _ in range(7):
        lab.start(job="work")
    first = claim(lab)
    assert (len(first), used(lab)) == (3, {"vendor": 3})
    assert claim(lab, owner=8) == []
    end(lab, first[:2])
    assert used(lab) == {"vendor": 1}
    assert len(claim(lab, owner=8)) == 2
    assert used(lab) == {"vendor": 3}


def test_a_limit_that_nobody_has_set_has_one_slot(lab):
    have_job(lab, {"vendor": 1})
    lab.start(job="work"), lab.start(job="work")
    assert len(claim(lab)) == 1
    assert lab.sql("SELECT name, slots, used, source, waiting FROM qflow.limits") == [("vendor", 1, 1, "default", 1)]


def test_slots_come_back_from_a_retry_a_release_and_a_failure(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 1})
    for _ in range(3):
        lab.start(job="work")
    failed, retried, released = claim(lab)
    slots = [Freed(row.id, "vendor=1") for row in (failed, retried, released)]
    lab.finish(
        batch=Batch(
            final=[lab.final(failed, FAILED)],
            rearmed=[Rearmed(retried.id, retried.fence, 1, 1, lab.clock.now())],
            released=[Released(released.id, released.fence, 0, 0)],
            slots=slots,
        )
    )
    assert used(lab) == {"vendor": 0}


def test_a_row_that_was_lost_gives_nothing_back(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 1})
    lab.start(job="work"), lab.start(job="work")
    mine, lost = claim(lab)
    lab.sql(
        f"UPDATE qflow.task_instance SET fence = fence + 2 WHERE id = {lost.id}"
    )  # others took it over, and claimed it
    end(lab, [mine, lost])
    assert used(lab) == {"vendor": 1}


def test_a_task_with_two_limits_takes_both_by_weight_and_the_scarcer_one_decides(lab):
    set_limits(lab, account=10, vendor=9)
    have_job(lab, {"account": 3, "vendor": 2})
    for _ in range(9):
        lab.start(job="work")
    first = claim(lab)
    assert (len(first), used(lab)) == (3, {"account": 9, "vendor": 6})
    end(lab, first[:1], "account=3 vendor=2")
    assert used(lab) == {"account": 6, "vendor": 4}


def test_jobs_that_share_a_limit_share_its_slots(lab):
    set_limits(lab, vendor=2)
    have_job(lab, {"vendor": 1}), have_job(lab, {"vendor": 1}, "other")
    for job in ["work", "other"] * 3:
        lab.start(job=job)
    assert len(claim(lab)) == 2
    assert used(lab) == {"vendor": 2}


def test_limits_of_a_task_are_added_to_those_of_its_job(lab):
    have_job(lab, {"vendor": 1})
    lab.workflow("w", {"a": []}, defaults={"limits": {"desk": 1}})
    lab.start("w")
    assert lab.sql("SELECT limits FROM qflow.lane") == [("desk=1 vendor=1",)]


def test_a_task_that_needs_more_slots_than_there_are_is_rejected(lab):
    set_limits(lab, vendor=2)
    have_job(lab, {"vendor": 3})
    number = lab.start(job="work")
    [(state, error)] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
    assert (state, error) == ("REJECTED", "a task needs 3 slots of limit vendor, which has 2")


def test_fewer_slots_than_before_let_nothing_begin_until_enough_have_ended(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 2})
    lab.start(job="work"), lab.start(job="work")
    [row] = claim(lab)
    set_limits(lab, vendor=1)
    assert (claim(lab), used(lab)) == ([], {"vendor": 2})
    end(lab, [row], "vendor=2")
    assert claim(lab) == []
    lab.sql("INSERT INTO qflow.daemon_job (daemon_id, job) VALUES (1, 'work')")
    set_limits(lab, vendor=2)
    assert len(claim(lab)) == 1


@pytest.mark.parametrize("damage", ["UPDATE qflow.limit_key SET used = 9", "DELETE FROM qflow.limit_key"])
def test_a_count_that_is_wrong_is_repaired(lab, damage):
    have_job(lab, {"vendor": 1})
    lab.start(job="work"), lab.start(job="work")
    [row] = claim(lab)
    lab.sql(damage)
    assert claim(lab) == []
    LimitRepair(lab.store, lab.topics).tick()
    assert used(lab) == {"vendor": 1}
    end(lab, [row])
    assert len(claim(lab)) == 1


def test_what_a_configuration_no_longer_changes_is_not_written(lab):
    set_limits(lab, vendor=2)
    lab.sql("UPDATE qflow.limit_key SET source = 'command', capacity = 5")
    set_limits(lab, vendor=2)
    assert lab.sql("SELECT slots, source FROM qflow.limits") == [(5, "command")]


# ------------------------------------------------------------------------------------------------ expressions, patterns


def test_an_expression_in_a_name_makes_a_limit_of_each_value(lab):
    have_job(lab, {"account:{{ params.account }}": 1})
    for account in ["a", "b", "a", 7]:
        lab.start(job="work", params=f'{{"account": {json.dumps(account)}}}')
    assert len(claim(lab)) == 3
    assert used(lab) == {"account:a": 1, "account:b": 1, "account:7": 1}


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("account:{{ params.account }}", "{}", "limit account:{{ params.account }}: {{ params.account }}: "),
        ("{{ params.account }}", '{"account": "a b"}', "limit 'a b' contains ' '"),
        ("{{ params.account }}", '{"account": ""}', "the name of a limit must be a string such as vendor:tushare"),
        ("{{ params.account }}", '{"account": [1]}', "the name of a limit must be a string such as vendor:tushare"),
        ("x:{{ params.account }}", '{"account": "%s"}' % ("a" * 99), "has 101 characters; at most 100 are allowed"),
    ],
)
def test_an_expression_that_gives_no_name_rejects_the_submission(lab, name, params, says):
    have_job(lab, {name: 1})
    number = lab.start(job="work", params=params)
    [(state, error)] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
    assert state == "REJECTED"
    assert says in error


def test_a_pattern_sets_all_limits_that_begin_so_and_the_longest_one_wins(lab):
    have_job(lab, {"account:{{ params.account }}": 1})
    lab.start(job="work", params='{"account": "a"}')
    set_limits(lab, **{"account:*": 2, "account:big*": 5, "account:c": 9})
    for account in ["b", "c", "bigger"]:
        lab.start(job="work", params=f'{{"account": "{account}"}}')
    there = {name: (slots, source) for name, slots, source in lab.sql("SELECT name, slots, source FROM qflow.limits")}
    assert there["account:a"] == there["account:b"] == (2, "pattern")
    assert (there["account:c"], there["account:bigger"]) == ((9, "config"), (5, "pattern"))
    set_limits(lab, **{"account:*": 4})
    assert ("account:a", 4) in lab.sql("SELECT name, slots FROM qflow.limits")


def test_the_head_of_a_map_gives_its_slot_to_the_items(lab):
    set_limits(lab, vendor=2)
    have_job(lab, {"vendor": 1})
    lab.workflow("bars", {"bars": []}, {"bars": {"map": [1, 2, 3]}})
    number = lab.start("bars")
    heads = claim(lab)
    assert used(lab) == {"vendor": 1}
    fan_out.expand(lab.store, lab.instances, heads, [Freed(row.id, "vendor=1", has_begun=False) for row in heads])
    assert used(lab) == {"vendor": 0}
    items = claim(lab)
    assert (len(items), used(lab)) == (2, {"vendor": 2})
    end(lab, items)
    end(lab, claim(lab))
    assert (lab.state(number), used(lab)) == ("SUCCESS", {"vendor": 0})
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ rates, pauses


def set_rate(lab: Lab, *rate: str, slots: int | None = None) -> None:
    save_configured(lab.store, {"vendor": LimitConfig(slots=slots, rate=rate)})


def start_many(lab: Lab, count: int) -> None:
    for _ in range(count):
        lab.start(job="work")


def test_no_more_begin_in_a_window_than_its_rate_allows(lab):
    set_rate(lab, "5/min", "8/h")
    have_job(lab, {"vendor": 1})
    start_many(lab, 20)
    first = claim(lab)
    assert len(first) == 5
    end(lab, first)
    lab.clock.advance(30)
    assert claim(lab) == []
    lab.clock.advance(32)
    assert len(claim(lab)) == 3, "the other rate allows no more in this hour"
    lab.clock.advance(3660)
    assert len(claim(lab)) == 5
    assert used(lab) == {"vendor": 8}


def test_what_was_given_back_before_it_began_does_not_count_and_what_failed_does(lab):
    set_rate(lab, "4/min")
    have_job(lab, {"vendor": 1})
    start_many(lab, 9)
    rows = claim(lab)
    released = [Released(row.id, row.fence, 0, 0) for row in rows[:3]]
    slots = [Freed(row.id, "vendor=1", has_begun=False) for row in rows[:2]] + [Freed(rows[2].id, "vendor=1")]
    lab.finish(batch=Batch(released=released, slots=slots))
    assert used(lab) == {"vendor": 1}
    assert len(claim(lab)) == 2


def test_a_limit_that_is_paused_lets_nothing_begin_until_then(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 1})
    start_many(lab, 3)
    [row, *_] = rows = claim(lab, room=1)
    until = lab.clock.now() + timedelta(seconds=60)
    lab.finish(
        batch=Batch(
            rearmed=[Rearmed(row.id, row.fence, 0, 0, until, "429")],
            slots=[Freed(row.id, "vendor=1") for row in rows],
            pauses=[(row.id, "vendor", until, "429")],
        )
    )
    assert (claim(lab), used(lab)) == ([], {"vendor": 0})
    [(state, attempt)] = lab.sql(f"SELECT state, attempt FROM qflow.tasks WHERE id = {row.id}")
    assert (state, attempt) == ("PENDING", 0), "no attempt was counted"
    lab.clock.advance(61)
    lab.promote.tick()
    assert len(claim(lab)) == 3


def test_a_shorter_pause_does_not_end_a_longer_one(lab):
    have_job(lab, {"vendor": 1})
    start_many(lab, 2)
    [row] = claim(lab)
    late, soon = (lab.clock.now() + timedelta(seconds=seconds) for seconds in (60, 5))
    lab.finish(batch=Batch(pauses=[(row.id, "vendor", late, "long")]))
    lab.finish(batch=Batch(pauses=[(row.id, "vendor", soon, "short")]))
    assert lab.sql("SELECT pause_reason FROM qflow.limits") == [("long",)]
    end(lab, [row])
    lab.clock.advance(30)
    assert claim(lab) == []


def test_a_task_that_asks_to_pause_a_limit_that_does_not_exist_says_so_while_it_waits(lab):
    have_job(lab, {"vendor": 1})
    start_many(lab, 1)
    [row] = claim(lab)
    until = lab.clock.now() + timedelta(seconds=60)
    rearmed = [Rearmed(row.id, row.fence, 0, 0, until, "429")]
    lab.finish(
        batch=Batch(rearmed=rearmed, slots=[Freed(row.id, "vendor=1")], pauses=[(row.id, "vendro", until, "429")])
    )
    [(note,)] = lab.sql("SELECT note FROM qflow.timer")
    assert note == "429; nothing is paused: there is no limit 'vendro'; did you mean vendor?"
    assert used(lab) == {"vendor": 0}


def test_a_task_that_takes_more_at_once_than_a_rate_allows_is_rejected(lab):
    set_rate(lab, "2/min")
    have_job(lab, {"vendor": 3})
    number = lab.start(job="work")
    [(error,)] = lab.sql(f"SELECT error FROM qflow.submissions WHERE id = {number}")
    assert error == "a task takes 3 at once of limit vendor, whose rate is 2/min"


def test_a_name_with_the_tenant_in_it_gives_each_tenant_a_limit_of_its_own(lab):
    have_job(lab, {"vendor/{{ instance.tenant }}": 1})
    for tenant in ("fund_a", "fund_a", "fund_b"):
        lab.start(job="work", tenant=tenant)
    assert len(claim(lab)) == 2
    assert used(lab) == {"vendor/fund_a": 1, "vendor/fund_b": 1}
