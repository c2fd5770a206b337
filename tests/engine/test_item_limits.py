"""Limits named after the items of a map: each item takes slots of its own key. Tasks whose job is known later find theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.engine.claiming.settle import settle
from qflowd.engine.maps import fan_out, item_lanes
from qflowd.model.errors import ExpressionFailed
from qflowd.model.states import TaskState
from tests.support.lab import Lab
from tests.support.limits import claim, end, have_job, set_limits, used

PAYMENTS = [{"bank": bank, "symbol": symbol} for bank, symbol in zip("aabba", "VWXYZ", strict=True)]


def pay(lab: Lab, items: list[Any] = PAYMENTS, **task: Any) -> int:
    """An instance of a map over payments, whose row has made rows for its items."""
    of_task = {"map": "{{ params.items }}", "params": {"item": "{{ item }}"}, "limits": {"bank:{{ item.bank }}": 1}}
    lab.workflow("pay", {"pay": []}, {"pay": of_task | task})
    number = lab.start("pay", params=json.dumps({"items": items}))
    assert fan_out.expand(lab.store, lab.instances, claim(lab)).failed == []
    return number


def limits_of(lab: Lab, number: int) -> dict[int, str]:
    """Index of an item -> the limits of its lane."""
    return dict(
        lab.sql(
            "SELECT t.map_index, l.limits FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane "
            f"WHERE t.id >> 20 = {number} AND t.map_index IS NOT NULL ORDER BY t.id"
        )
    )


def test_each_item_takes_slots_of_its_own_key_and_a_pattern_says_how_many(lab):
    set_limits(lab, **{"bank:*": 2, "bank:b": 1})
    pay(lab)
    first = claim(lab)
    assert used(lab) == {"bank:*": 0, "bank:a": 2, "bank:b": 1}
    assert sorted(row.map_index for row in first) == [0, 1, 2]
    end(lab, [row for row in first if row.map_index == 0], "bank:a=1")
    assert [row.map_index for row in claim(lab)] == [4]
    assert used(lab) == {"bank:*": 0, "bank:a": 2, "bank:b": 1}


def test_the_row_of_the_map_itself_takes_only_what_its_items_have_in_common(lab):
    number = pay(lab, limits={"bank:{{ item.bank }}": 1, "desk:{{ params.items[0].bank }}": 1})
    [(limits,)] = lab.sql(
        "SELECT l.limits FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane WHERE t.map_index IS NULL"
    )
    assert limits == "desk:a=1"
    assert limits_of(lab, number)[2] == "bank:b=1 desk:a=1"


def test_limits_of_a_job_may_name_the_items_of_a_map_as_well(lab):
    have_job(lab, {"bank:{{ item.bank }}": 1})
    number = pay(lab, limits={"desk": 1}, label="{{ item.symbol }}")
    assert limits_of(lab, number) == {i: f"bank:{item['bank']}=1 desk=1" for i, item in enumerate(PAYMENTS)}
    assert lab.sql("SELECT label FROM qflow.task_instance WHERE map_index = 2") == [("X",)]


def test_a_job_whose_limit_names_an_item_runs_only_in_maps(lab):
    have_job(lab, {"bank:{{ item.bank }}": 1})
    number = lab.start(job="work")
    [(error,)] = lab.sql(f"SELECT error FROM qflow.submissions WHERE id = {number}")
    assert error == "limit bank:{{ item.bank }}: {{ item.bank }}: item is not known here"


@pytest.mark.parametrize(
    ("bank", "why"),
    [
        (None, "{{ item.bank }} is null, which cannot stand inside a string"),
        ("", "the value is empty, so the limit has no name"),
        ("no bank", "limit 'bank:no bank' contains ' '; use letters, digits and _ - . / :"),
        ("x" * 96, "limit bank:xxxxxxxxxxxxxxx… has 101 characters; at most 100 are allowed"),
    ],
)
def test_an_item_whose_limit_has_no_name_fails_alone_and_says_why(lab, bank, why):
    set_limits(lab, **{"bank:*": 9})
    pay(lab, [{"bank": bank}, *PAYMENTS])
    rows = claim(lab)
    assert sorted(row.map_index for row in rows) == [0, 1, 2, 3, 4, 5]
    [(row, error)] = settle(lab.store, lab.instances, [row for row in rows if row.map_index == 0])
    assert isinstance(error, ExpressionFailed)
    assert str(error) == f"limit bank:{{{{ item.bank }}}}: {why}"
    assert used(lab) == {"bank:*": 0, "bank:a": 3, "bank:b": 2}, "a row without limits takes none"
    [(state,)] = lab.sql(f"SELECT state FROM qflow.task_instance WHERE id = {row.id}")
    assert state == TaskState.RESERVED, "it ends as any row whose params have no value"


def test_an_item_that_has_no_key_at_all_fails_alone_too(lab):
    pay(lab, ["icbc", *PAYMENTS])
    [row] = [row for row in claim(lab) if row.map_index == 0]
    [(_, error)] = settle(lab.store, lab.instances, [row])
    assert str(error).endswith("item is a str and has no 'bank'")


def test_items_of_later_windows_take_slots_of_their_own_key(lab):
    number = pay(lab, max_parallel=2)
    assert limits_of(lab, number) == {0: "bank:a=1", 1: "bank:a=1"}
    while rows := claim(lab):
        for row in rows:
            end(lab, [row], limits_of(lab, number)[row.map_index])
    assert limits_of(lab, number) == {i: f"bank:{item['bank']}=1" for i, item in enumerate(PAYMENTS)}
    assert (lab.state(number), set(used(lab).values())) == ("SUCCESS", {0})
    lab.check(drained=True)


def test_items_made_after_their_job_has_other_limits_are_put_into_the_right_lanes(lab):
    set_limits(lab, desk=6)
    number = pay(lab, limits={"desk": 2}, max_parallel=2)
    have_job(lab, {"bank:{{ item.bank }}": 1})
    end(lab, claim(lab), "desk=2")
    rows = {row.map_index: row for row in claim(lab)}
    assert limits_of(lab, number) == {0: "desk=2", 1: "desk=2", 2: "?", 3: "?"}
    assert settle(lab.store, lab.instances, list(rows.values())) == []
    assert limits_of(lab, number) == {0: "desk=2", 1: "desk=2", 2: "bank:b=1 desk=2", 3: "bank:b=1 desk=2"}
    assert [row.map_index for row in claim(lab)] == [2]
    assert used(lab)["bank:b"] == 1


def test_more_limits_than_lanes_are_possible_fail_the_map_and_name_the_bound(lab, monkeypatch):
    monkeypatch.setattr(item_lanes, "MOST_LANES", 2)
    lab.workflow("pay", {"pay": []}, {"pay": {"map": ["a", "b", "c"], "limits": {"symbol:{{ item }}": 1}}})
    lab.start("pay")
    [(_, error)] = fan_out.expand(lab.store, lab.instances, claim(lab)).failed
    assert str(error) == (
        "limits: the 3 items name 3 different sets of limits; at most 2 (MOST_LANES) are possible. Name limits after "
        "what items share, such as their bank or account"
    )
    assert lab.sql("SELECT COUNT(*) FROM qflow.limit_key") == [(0,)]


# ---------------------------------------------------------------------------------------- jobs that are known later


def test_limits_and_priority_of_a_job_bind_tasks_that_were_admitted_before_anybody_knew_it(lab):
    lab.workflow("bars", {"a": [], "b": [], "c": ["a"]}, {key: {"job": "later"} for key in "abc"})
    lab.start("bars", priority=3)
    assert claim(lab) == [], "no daemon knows the job"
    have_job(lab, {"vendor": 1}, "later")
    rows = claim(lab)
    assert len(rows) == 2
    assert settle(lab.store, lab.instances, rows) == []
    assert [row.node for row in claim(lab)] == [0]
    assert used(lab) == {"vendor": 1}
    assert lab.sql("SELECT state, COUNT(*) FROM qflow.tasks GROUP BY state ORDER BY state") == [
        ("PENDING", 1),
        ("READY", 1),
        ("RUNNING", 1),
    ]


def test_a_row_that_another_daemon_has_settled_meanwhile_is_left_alone(lab):
    lab.workflow("bars", {"a": []}, {"a": {"job": "later"}})
    lab.start("bars")
    have_job(lab, {"vendor": 1}, "later")
    rows = claim(lab)
    settle(lab.store, lab.instances, rows)
    [mine] = claim(lab)
    assert settle(lab.store, lab.instances, rows) == []
    assert lab.sql("SELECT state, fence FROM qflow.task_instance") == [(TaskState.RUNNING, mine.fence)]


def test_what_waited_for_a_job_that_asks_for_nothing_runs_as_it_stands(lab):
    lab.workflow("bars", {"a": [], "b": []}, {"a": {"job": "later"}, "b": {"job": "later", "limits": {"desk": 1}}})
    lab.start("bars")
    assert claim(lab) == [], "no daemon knows the job"
    have_job(lab, {}, "later")
    rows = claim(lab)
    assert sorted(row.node for row in rows) == [0, 1]
    assert lab.sql("SELECT task, state FROM qflow.tasks ORDER BY id") == [("a", "RUNNING"), ("b", "RUNNING")]
    assert used(lab) == {"desk": 1}, "it has a limit of its own, which is taken at its claim"
    end(
        lab, [row for row in rows if row.node == 1], lab.sql("SELECT limits FROM qflow.lane WHERE limits <> '??'")[0][0]
    )
    assert used(lab) == {"desk": 0}
