"""Maps: a task runs once for each item of a list; its own row waits for them."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.claiming.gate import Head
from qflowd.engine.maps import fan_out, item_rows
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab

BARS = {"map": "{{ universe.output.symbols }}", "params": {"symbol": "{{ item }}"}}
DAILY = {"universe": [], "bars": ["universe"], "check": ["bars"]}
SYMBOLS = {"symbols": ["AAPL", "IBM", "MSFT"]}


def daily(lab: Lab, symbols: object = SYMBOLS, **bars: object) -> int:
    """An instance whose universe has ended, with these symbols."""
    lab.workflow("daily", DAILY, {"bars": BARS | bars})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=symbols))
    return number


def head_of(number: int) -> int:
    return number * ORDINALS + 1


def test_a_map_runs_once_for_each_item_and_its_row_waits_for_them(lab):
    number = daily(lab)
    items = lab.claim()
    assert [(row.node, row.map_index, row.id - number * ORDINALS) for row in items] == [(1, 0, 3), (1, 1, 4), (1, 2, 5)]
    waiting = {"universe": "SUCCESS", "bars": "PENDING", "check": "PENDING"}
    assert lab.states(number) == waiting | {f"bars[{i}]": "RUNNING" for i in range(3)}
    lab.check()
    lab.ends(items[:2])
    assert lab.states(number)["bars"] == "PENDING"
    lab.check()
    lab.ends(items[2:])
    assert (lab.states(number)["bars"], lab.states(number)["check"]) == ("SUCCESS", "READY")
    lab.check()
    lab.succeeds(number)


def test_people_see_how_many_items_a_map_waits_for(lab):
    number = daily(lab)
    lab.ends(lab.claim()[:1])
    rows = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    assert [(row.task, row.map_index, row.kind, row.wait_reason) for row in rows[1:4]] == [
        ("bars", None, "head", "waits for its items: 2"),
        ("check", None, "task", "waits for tasks before it: bars"),
        ("bars", 0, "task", None),
    ]


@pytest.mark.parametrize("symbols", [{"symbols": []}, {"symbols": ["IBM"]}])
def test_lists_of_no_item_and_of_one(lab, symbols):
    number = daily(lab, symbols)
    lab.run()
    assert lab.state(number) == "SUCCESS"
    assert set(lab.states(number).values()) == {"SUCCESS"}
    lab.check(drained=True)


def test_the_output_of_a_map_over_nothing_is_an_empty_list(lab):
    number = daily(lab, {"symbols": []})
    lab.run()
    assert lab.column("task_instance", "output", head_of(number)) == "[]"


@pytest.mark.parametrize(
    ("symbols", "why"),
    [
        ({"symbols": "IBM"}, "map: {{ universe.output.symbols }} is a string; it must be a list"),
        ({"symbols": {"IBM": 1}}, "map: {{ universe.output.symbols }} is keys and values; it must be a list"),
        ({"symbols": None}, "map: {{ universe.output.symbols }} is null; it must be a list"),
        ({}, "{{ universe.output.symbols }}: universe.output has no 'symbols'; it has nothing"),
    ],
)
def test_a_map_over_what_is_not_a_list_fails_and_says_so(lab, symbols, why):
    number = daily(lab, symbols)
    lab.run()
    states = lab.states(number)
    assert (states["bars"], states["check"], lab.state(number)) == ("FAILED", "UPSTREAM_FAILED", "FAILED")
    assert lab.column("workflow_instance", "error", number) == f"task bars: {why}"
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    lab.run()
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_two_million_items_are_refused_with_the_limit(lab):
    number = daily(lab, {"symbols": [0] * 2_000_000})
    lab.run()
    error = lab.column("workflow_instance", "error", number)
    assert error == (
        "task bars: map: the list has 2,000,000 items; at most 1,000,000 (MOST_ITEMS) can be run one by one. "
        "Give the task a `chunk`, and its job lists of so many items"
    )
    assert len(lab.states(number)) == 3


def test_more_items_than_an_instance_has_room_for_are_refused(lab):
    lab.workflow("daily", DAILY, {"bars": BARS})
    number = lab.start("daily")
    lab.sql(f"UPDATE qflow.workflow_instance SET next_ordinal = {ORDINALS - 2} WHERE id = {number}")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=SYMBOLS))
    lab.run()
    assert lab.column("workflow_instance", "error", number) == (
        "task bars: map: 3 items are too many: an instance has at most 1,048,576 rows (ORDINALS), and 1,048,574 are "
        "taken. Give the task a `chunk`"
    )


def test_a_failed_item_fails_the_map_when_all_others_have_ended(lab):
    number = daily(lab)
    first, *others = lab.claim()
    lab.finish(batch=fan_out_batch(lab, first, "no data"))
    assert lab.states(number)["bars"] == "PENDING"
    lab.ends(others)
    states = lab.states(number)
    assert (states["bars"], states["check"], lab.state(number)) == ("FAILED", "UPSTREAM_FAILED", "FAILED")
    error = "1 of 3 items did not succeed; the first: bars[0]: no data"
    assert lab.column("workflow_instance", "error", number) == f"task bars: {error}"
    lab.check(drained=True)


def fan_out_batch(lab, row, error):
    from qflowd.engine.finishing.batch import Batch

    return Batch(final=[lab.final(row, FAILED)], attempts=[lab.failed_attempt(row, error)])


def test_an_item_that_was_skipped_has_not_failed(lab):
    number = daily(lab)
    lab.run({"bars[1]": SKIPPED})
    assert (lab.states(number)["bars"], lab.state(number)) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_a_retry_runs_the_failed_items_alone(lab):
    number = daily(lab)
    lab.run({"bars[0]": FAILED, "bars[2]": FAILED})
    answer = {"instance_id": number, "retried": ["bars[0]", "bars[2]"], "tasks": 2, "restarted": 4}
    assert lab.command("retry", number) == ("DONE", answer)
    lab.check()
    assert [row.map_index for row in lab.claim()] == [0, 2]
    states = lab.states(number)
    assert (states["bars"], states["bars[1]"], states["check"]) == ("PENDING", "SUCCESS", "PENDING")
    lab.sql("UPDATE qflow.task_instance SET state = 1, owner = NULL WHERE state IN (3, 4)")
    lab.succeeds(number)


@pytest.mark.parametrize("name", ["bars[2]", "bars[IBM]"])
def test_one_item_is_retried_by_its_index_or_its_label(lab, name):
    number = daily(lab, {"symbols": ["AAPL", "MSFT", "IBM"]}, label="{{ item }}")
    lab.run({"bars[AAPL]": FAILED, "bars[IBM]": FAILED})
    answer = {"instance_id": number, "retried": ["bars[IBM]"], "tasks": 1, "restarted": 3}
    assert lab.command("retry", number, task=name) == ("DONE", answer)
    lab.check()
    assert [row.map_index for row in lab.claim()] == [2]


def test_retry_of_a_map_by_its_name_retries_its_failed_items(lab):
    number = daily(lab)
    lab.run({"bars[1]": FAILED})
    assert lab.command("retry", number, task="bars")[1]["retried"] == ["bars[1]"]
    lab.run()
    assert lab.state(number) == "SUCCESS"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bars[GOOG]", "task bars of instance {} has no item 'GOOG'; there are bars[A], bars[A], bars[B]"),
        ("bars[A]", "2 items are called bars[A]; name one by its index: bars[0], bars[1]"),
        ("bar[A]", "instance {} has no task 'bar[A]'; did you mean bars?"),
        ("bars[b]", "task bars of instance {} has no item 'b'; did you mean B?"),
        ("bars[B]", "task bars[B] of instance {} is SUCCESS; only FAILED and CANCELLED tasks are retried"),
    ],
)
def test_a_name_that_is_not_an_item_is_refused_with_those_there_are(lab, name, why):
    number = daily(lab, {"symbols": ["A", "A", "B"]}, label="{{ item }}")
    lab.run({"bars[A]": FAILED})
    assert lab.command("retry", number, task=name) == ("REJECTED", why.format(number))


def test_a_label_is_shown_wherever_an_item_is(lab):
    symbols = [{"symbol": "AAPL"}, {"symbol": "  A\nB "}, {"name": "x"}, {"symbol": 7}, {"symbol": None}]
    number = daily(lab, {"symbols": symbols}, label="{{ item.symbol }}", params={})
    rows = lab.claim()
    shown = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    assert [(row.map_index, row.label) for row in shown[3:]] == [
        (0, "AAPL"),
        (1, "A B"),
        (2, None),
        (3, "7"),
        (4, None),
    ]
    lab.finish(batch=fan_out_batch(lab, rows[0], "no data"))
    lab.ends(rows[1:])
    assert lab.column("workflow_instance", "error", number).endswith("the first: bars[AAPL]: no data")
    attempts = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert ("bars", 0, "AAPL") in [(row.task, row.map_index, row.label) for row in attempts]


def test_chunks_are_items_that_are_lists(lab):
    daily(lab, chunk=2, label="{{ item[0] }}")
    assert [lab.key(row.id) for row in lab.claim()] == ["bars[AAPL]", "bars[MSFT]"]
    lab.check()


def test_no_more_items_are_open_than_max_parallel(lab):
    number = daily(lab, {"symbols": list(range(23))}, max_parallel=5)
    ended = 0
    while rows := lab.claim(3):
        lab.check()
        states = lab.states(number)
        assert sum(not TaskState[states[f"bars[{i}]"]].is_final for i in range(23) if f"bars[{i}]" in states) <= 5
        lab.ends(rows, FAILED if ended == 3 else SUCCESS)
        ended += len(rows)
        if "check" in states and lab.states(number)["bars"] != "PENDING":
            break
    assert len(lab.states(number)) == 26
    lab.run()
    lab.check(drained=True)


def test_a_map_has_a_window_of_its_own(lab, monkeypatch):
    monkeypatch.setattr(item_rows, "WINDOW", 4)
    number = daily(lab, {"symbols": list(range(11))}, label="s{{ index }}")
    assert [lab.key(row.id) for row in lab.claim(100)] == ["bars[s0]", "bars[s1]", "bars[s2]", "bars[s3]"]
    lab.sql("UPDATE qflow.task_instance SET state = 1, owner = NULL WHERE state IN (3, 4)")
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 14)
    assert "bars[s10]" in lab.states(number)
    lab.check(drained=True)


def test_a_terminated_map_makes_no_more_rows_and_a_retry_makes_the_others(lab):
    number = daily(lab, {"symbols": list(range(10))}, max_parallel=3)
    held = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(lab.final(held[0]), *(lab.final(row, CANCELLED) for row in held[1:]))
    lab.sweep.tick()
    assert (lab.state(number), len(lab.states(number))) == ("TERMINATED", 6)
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 13)
    lab.check(drained=True)


def test_a_map_that_was_terminated_between_two_windows_continues(lab):
    """All items that have rows have ended well, others have none."""
    number = daily(lab, {"symbols": list(range(5))}, max_parallel=2)
    held = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends(held)
    lab.sweep.tick()
    assert lab.command("retry", number)[0] == "DONE"
    assert lab.states(number)["bars"] == "READY"
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 8)
    lab.check(drained=True)


def test_a_map_whose_items_had_all_ended_when_it_was_terminated_ends(lab):
    number = daily(lab)
    held = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends(held)
    lab.sweep.tick()
    assert lab.states(number)["bars"] == "CANCELLED"
    lab.command("retry", number)
    lab.succeeds(number)


def test_an_expansion_that_is_repeated_makes_no_second_rows(lab):
    """Its reply was lost: the row is given back with the old fence, and nobody has it."""
    lab.workflow("daily", DAILY, {"bars": BARS})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=SYMBOLS))
    [head] = lab.store.transact(lab.claim_in)
    lab.expand([head])
    before = lab.states(number)
    lab.expand([head])
    assert lab.states(number) == before
    assert lab.column("workflow_instance", "next_ordinal", number) == 6
    lab.check()


def test_of_two_daemons_that_expand_the_same_head_one_does(lab):
    lab.workflow("daily", DAILY, {"bars": BARS})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=SYMBOLS))
    [late] = lab.store.transact(lab.claim_in)
    lab.sql(f"UPDATE qflow.task_instance SET state = 1, owner = NULL, fence = fence + 1 WHERE id = {late.id}")
    items = lab.claim()
    lab.expand([late])
    lab.ends(items)
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 6)
    lab.check(drained=True)


def test_maps_of_one_claim_have_ordinals_of_their_own(lab):
    literal = {"map": [1, 2, 3], "params": {"n": "{{ item }}"}}
    lab.workflow(
        "both",
        {"a": [], "b": [], "end": ["a", "b"]},
        {"a": literal, "b": literal | {"map": "{{ params.list }}"}},
        params={"list": {"type": "array", "default": [7]}},
    )
    numbers = [lab.start("both"), lab.start("both")]
    rows = lab.claim()
    assert sorted(row.id % ORDINALS for row in rows) == sorted([3, 4, 5, 6] * 2)
    lab.ends(rows)
    lab.run()
    assert [lab.state(number) for number in numbers] == ["SUCCESS", "SUCCESS"]
    lab.check(drained=True)


def test_conditions_behind_a_map_see_the_list_of_outputs(lab):
    condition = "{{ len(bars.output) == 3 and bars.output[1] == 5 }}"
    lab.workflow("daily", DAILY | {"check": {"bars": condition}}, {"bars": BARS})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=SYMBOLS))
    lab.finish(*(lab.final(row, output=4 + row.map_index) for row in lab.claim()))
    assert lab.states(number)["check"] == "READY"
    lab.run()
    lab.check(drained=True)


def test_a_list_above_64_kb_is_mapped(lab):
    number = daily(lab, {"symbols": [f"{i:05}" * 10 for i in range(2000)]})
    assert lab.sql("SELECT COUNT(*) FROM qflow.large_value")[0][0] > 0
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 2003)
    lab.check(drained=True)


def test_items_are_stored_as_rows_without_a_copy_of_the_item(lab):
    daily(lab)
    lab.claim()
    assert lab.sql("SELECT COUNT(*) FROM qflow.task_input") == [(0,)]
    assert json.loads(lab.sql("SELECT output FROM qflow.task_instance WHERE node = 0")[0][0]) == SYMBOLS


def test_when_and_conditions_of_a_map_are_looked_at_once_for_the_whole_of_it(lab):
    for number, when, state in ((1, "len(universe.output.symbols) > 3", "SKIPPED"), (2, "true", "SUCCESS")):
        after = {"universe": "len(universe.output.symbols) == 3"}
        lab.workflow(f"daily{number}", DAILY | {"bars": after}, {"bars": BARS | {"when": when}})
        instance = lab.start(f"daily{number}")
        [universe] = lab.claim()
        lab.finish(lab.final(universe, output=SYMBOLS))
        lab.run()
        assert (lab.states(instance)["bars"], lab.states(instance)["check"]) == (state, state)
        assert len(lab.states(instance)) == (3 if state == "SKIPPED" else 6)
        lab.check(drained=True)


def test_a_map_under_a_rule_waits_for_failed_parents_and_their_retry_makes_its_items_anew(lab):
    bars = {"map": "{{ [1, 2] if universe.output is null else universe.output.symbols }}", "trigger_rule": "all_done"}
    lab.workflow("daily", DAILY, {"bars": bars})
    number = lab.start("daily")
    lab.run({"universe": FAILED})
    states = lab.states(number)
    assert (states["bars"], states["bars[1]"], lab.state(number)) == ("SUCCESS", "SUCCESS", "FAILED")
    before = {row[0] for row in lab.sql("SELECT id FROM qflow.task_instance WHERE map_index IS NOT NULL")}
    assert lab.command("retry", number)[0] == "DONE"
    assert list(lab.states(number)) == ["universe", "bars", "check"]
    lab.check()
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=SYMBOLS))
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 6)
    after = {row[0] for row in lab.sql("SELECT id FROM qflow.task_instance WHERE map_index IS NOT NULL")}
    assert not before & after, "what was logged of other items is not shown as theirs"
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("tolerate", "failed", "ended"),
    [
        ({"fail_pct": 50}, 2, "SUCCESS"),
        ({"fail_pct": 50}, 3, "FAILED"),
        ({"fail_pct": 24}, 1, "FAILED"),  # of 4 items none is 24 %
        ({"min_ok": 1}, 3, "SUCCESS"),
        ({"min_ok": 1}, 4, "FAILED"),
        ({"fail_pct": 100}, 4, "SUCCESS"),
        ({"fail_pct": 75, "min_ok": 2}, 2, "SUCCESS"),
        ({"fail_pct": 75, "min_ok": 2}, 3, "FAILED"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_map_tolerates_as_many_failed_items_as_it_says(lab, tolerate, failed, ended, at_once):
    number = daily(lab, {"symbols": [0, 1, 2, 3]}, tolerate=tolerate)
    items = lab.claim()
    final = [lab.final(row, FAILED if i < failed else SUCCESS) for i, row in enumerate(items)]
    for part in [final] if at_once else [final[:1], final[1:]]:
        lab.check()
        lab.finish(*part)
    lab.run()
    assert (lab.states(number)["bars"], lab.state(number)) == (ended, ended)
    row = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    assert row.reason == ("tolerated" if ended == "SUCCESS" else "error")
    lab.check(drained=True)
    if ended == "FAILED":
        assert lab.command("retry", number)[1]["tasks"] == failed
        lab.check()
        lab.run()
        assert lab.state(number) == "SUCCESS"
        lab.check(drained=True)


def test_a_list_shorter_than_what_must_succeed_fails_at_once(lab):
    number = daily(lab, {"symbols": []}, tolerate={"min_ok": 2})
    lab.run()
    error = "task bars: tolerate: min_ok is 2, and the list has 0 items"
    assert lab.column("workflow_instance", "error", number) == error
    lab.check(drained=True)


def test_a_tolerant_map_that_was_terminated_ends_as_its_items_did(lab):
    number = daily(lab, tolerate={"min_ok": 2})
    held = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(lab.final(held[0], FAILED), *(lab.final(row) for row in held[1:]))
    lab.sweep.tick()
    head = number * ORDINALS + 1
    assert lab.command("retry", number, task_id=head)[0] == "DONE"
    lab.run()
    assert lab.states(number)["bars"] == "SUCCESS"
    lab.check(drained=True)


def test_a_trigger_of_a_map_that_waits_for_its_last_items_leaves_it_waiting(lab):
    number = daily(lab, tolerate={"min_ok": 2})
    items = lab.claim()
    lab.ends(items[:2])
    assert lab.command("trigger", number, task="bars")[0] == "DONE", "a pause would be over"
    assert lab.states(number)["bars"] == "PENDING"
    lab.check()
    lab.ends(items[2:])
    lab.succeeds(number)


def test_maps_beyond_one_transaction_are_left_for_the_next_turn(lab):
    """All others would wait while thirty maps of a market are made in a row."""
    lab.workflow("wide", {"each": []}, {"each": {"map": list(range(fan_out.LARGEST))}})
    lab.start("wide"), lab.start("wide"), lab.start("wide", priority=9)
    for head in [Head(*row) for row in lab.store.read(lambda tx: tx.run("list_heads"))]:
        lab.lane(head.lane)
    heads = sorted(lab.store.transact(lab.claim_in, name="claim"))
    lab.store.read(lambda tx: lab.instances.load_claimed(tx, heads))
    expanded = fan_out.expand(lab.store, lab.instances, heads)
    assert (expanded.left, expanded.ended, expanded.failed) == (heads[:2], [], []), "the most urgent is not"
    made = "SELECT COUNT(*) FROM qflow.task_instance WHERE map_index IS NOT NULL"
    assert lab.sql(made) == [(fan_out.LARGEST,)]
