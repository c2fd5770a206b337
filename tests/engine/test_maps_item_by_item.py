"""Maps behind maps, item by item: an item waits for the same item before it, and for no other."""

from __future__ import annotations

import pytest

from qflowd.engine.maps import item_rows
from qflowd.model.states import TaskState
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab

DAILY = {"universe": [], "bars": ["universe"], "factors": {"bars": "each"}, "check": ["factors"]}
THREE = {"bars": [], "factors": {"bars": "each"}, "signals": {"factors": "each"}}
SYMBOLS = ["AAPL", "IBM", "MSFT"]


def daily(lab: Lab, symbols: object = tuple(SYMBOLS), bars: dict = {}, **factors: object) -> int:  # noqa: B006
    """An instance whose universe has ended, with these symbols."""
    lab.workflow("daily", DAILY, {"bars": {"map": "{{ universe.output }}"} | bars, "factors": factors})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=list(symbols)))
    return number


def three(lab: Lab, items: int = 3, **of_task: dict) -> int:
    literal = {"map": list(range(items))}
    lab.workflow("three", THREE, {"bars": literal | of_task.pop("bars", {})} | of_task)
    return lab.start("three")


def names(lab: Lab, rows: list) -> list[str]:
    return sorted(lab.key(row.id) for row in rows)


def test_an_item_begins_as_soon_as_the_same_item_before_it_has_ended(lab):
    number = daily(lab)
    bars = lab.claim()
    assert names(lab, bars) == ["bars[0]", "bars[1]", "bars[2]"]
    lab.check()
    lab.ends(bars[1:2])
    lab.check()
    factors = lab.claim()
    assert names(lab, factors) == ["factors[1]"], "the slow symbols hold back only themselves"
    states = lab.states(number)
    assert (states["bars"], states["factors"], states["check"]) == ("PENDING", "PENDING", "PENDING")
    lab.ends(factors)
    lab.check()
    lab.ends([bars[0], bars[2]])
    rows = lab.claim()
    assert names(lab, rows) == ["factors[0]", "factors[2]"]
    lab.ends(rows)
    lab.succeeds(number)


def test_three_deep_each_symbol_goes_its_own_way(lab):
    number = three(lab)
    order = []
    held = {lab.key(row.id): row for row in lab.claim()}
    for name in ["bars[2]", "factors[2]", "bars[0]", "signals[2]", "factors[0]", "bars[1]", "factors[1]"]:
        lab.finish(lab.final(held.pop(name)))
        order.append(name)
        lab.check()
        held |= {lab.key(row.id): row for row in lab.claim()}
    assert sorted(held) == ["signals[0]", "signals[1]"]
    lab.ends(held.values())
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_the_end_is_the_same_however_few_are_claimed_at_a_time(lab, slots):
    number = three(lab, 9, bars={"max_parallel": 4}, signals={"max_parallel": 2})
    while rows := lab.claim(slots):
        lab.check()
        lab.ends(rows, SUCCESS)
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    assert len(lab.states(number)) == 3 + 27
    lab.check(drained=True)


def test_the_item_behind_a_failed_one_is_upstream_failed_and_the_others_run(lab):
    number = three(lab)
    lab.run({"bars[1]": FAILED})
    states = lab.states(number)
    assert [states[f"{key}[1]"] for key in THREE] == ["FAILED", "UPSTREAM_FAILED", "UPSTREAM_FAILED"]
    assert [states[f"signals[{i}]"] for i in (0, 2)] == ["SUCCESS", "SUCCESS"]
    assert [states[key] for key in THREE] == ["FAILED"] * 3
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_a_map_says_that_its_items_could_not_run(lab):
    number = daily(lab)
    lab.run({"bars[1]": FAILED})
    shown = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    errors = {row.task: row.error for row in shown if row.map_index is None}
    assert (
        errors["factors"] == "1 of 3 items did not succeed; the first: factors[1]: the item before it did not succeed"
    )


def test_a_retry_of_a_failed_item_reopens_its_own_chain_alone(lab):
    number = three(lab)
    lab.run({"bars[1]": FAILED})
    answer = {"instance_id": number, "retried": ["bars[1]"], "tasks": 1, "restarted": 6}
    assert lab.command("retry", number) == ("DONE", answer)
    lab.check()
    for name in ("bars[1]", "factors[1]", "signals[1]"):
        rows = lab.claim()
        assert names(lab, rows) == [name]
        lab.ends(rows)
        lab.check()
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("task", "again"),
    [
        ("bars[b]", ["bars[b]", "factors[b]", "signals[b]"]),
        ("factors[b]", ["factors[b]", "signals[b]"]),
        ("factors", ["factors[a]", "factors[b]", "factors[c]", "signals[a]", "signals[b]", "signals[c]"]),
        ("signals", ["signals[a]", "signals[b]", "signals[c]"]),
    ],
)
def test_a_rerun_runs_what_waits_for_it_item_by_item(lab, task, again):
    number = three(lab, bars={"map": ["a", "b", "c"], "label": "{{ item }}"})
    lab.run()
    assert lab.command("rerun", number, task=task)[0] == "DONE"
    lab.check()
    ran = []
    while rows := lab.claim():
        ran += names(lab, rows)
        lab.ends(rows)
        lab.check()
    assert sorted(ran) == again
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 12)
    lab.check(drained=True)


def test_a_rerun_from_above_makes_all_lists_anew(lab):
    number = daily(lab)
    lab.run()
    assert lab.command("rerun", number, task="universe")[0] == "DONE"
    assert list(lab.states(number)) == ["universe", "bars", "factors", "check"]
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=["GOOG"]))
    lab.run()
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 6)
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("rule", "outcome", "state"),
    [
        ("all_success", FAILED, "UPSTREAM_FAILED"),
        ("all_success", SKIPPED, "SKIPPED"),
        ("none_failed", FAILED, "UPSTREAM_FAILED"),
        ("none_failed", SKIPPED, "SUCCESS"),
        ("all_done", FAILED, "SUCCESS"),
        ("always", SKIPPED, "SUCCESS"),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_a_trigger_rule_holds_for_each_item_by_itself(lab, rule, outcome, state, is_late):
    """Late: the item before has ended when the row is made, which then ends at its claim."""
    number = daily(lab, trigger_rule=rule, **({"max_parallel": 1} if is_late else {}))
    bars = lab.claim()
    last = bars.pop()
    lab.finish(lab.final(last, outcome))
    lab.check()
    lab.ends(bars)
    lab.run()
    states = lab.states(number)
    assert [states[f"factors[{i}]"] for i in range(3)] == ["SUCCESS", "SUCCESS", state]
    lab.check(drained=True)


def test_failures_that_a_map_tolerates_leave_out_the_items_behind_them(lab):
    number = daily(lab, bars={"tolerate": {"min_ok": 2}}, tolerate={"min_ok": 2})
    lab.run({"bars[0]": FAILED})
    states = lab.states(number)
    assert (states["factors[0]"], states["bars"], states["factors"], states["check"]) == (
        "UPSTREAM_FAILED",
        "SUCCESS",
        "SUCCESS",
        "SUCCESS",
    )
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_an_item_that_a_person_skips_lets_the_same_item_behind_it_run(lab):
    number = daily(lab)
    lab.run({"bars[1]": FAILED})
    assert lab.command("skip", number, task="bars[1]", reason="halted")[0] == "DONE"
    lab.check()
    assert names(lab, lab.claim()) == ["factors[1]"]


def test_an_item_that_waits_is_skipped_at_once(lab):
    number = daily(lab)
    bars = lab.claim()
    assert lab.command("skip", number, task="factors[1]", reason="halted")[0] == "DONE"
    assert lab.states(number)["factors[1]"] == "SKIPPED"
    lab.check()
    lab.ends(bars)
    lab.succeeds(number)


@pytest.mark.parametrize("outcome", [SUCCESS, FAILED, SKIPPED])
@pytest.mark.parametrize("rule", ["all_success", "none_failed", "all_done"])
def test_a_map_may_wait_for_two_maps_and_for_a_task(lab, outcome, rule):
    tasks = {"calendar": [], "bars": [], "news": [], "both": {"bars": "each", "news": "each", "calendar": True}}
    literal = {"map": [1, 2, 3]}
    lab.workflow("both", tasks, {"bars": literal, "news": literal, "both": {"trigger_rule": rule}})
    number = lab.start("both")
    held = {lab.key(row.id): row for row in lab.claim()}
    lab.finish(lab.final(held.pop("bars[0]")), lab.final(held.pop("bars[1]")))
    lab.check()
    lab.finish(lab.final(held.pop("calendar"), outcome))
    lab.check()
    lab.claim()
    lab.check()
    lab.ends(held.values())
    lab.run()
    ran = (outcome is SUCCESS or rule == "all_done") or (outcome is SKIPPED and rule == "none_failed")
    unrun = "UPSTREAM_FAILED" if outcome is FAILED else "SKIPPED"
    assert lab.states(number)["both"] == ("SUCCESS" if ran else unrun)
    assert len(lab.states(number)) == 4 + 6 + (3 if ran else 0)
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("symbols", "states"),
    [([], ["SUCCESS", "SUCCESS", "SUCCESS"]), ("IBM", ["FAILED", "UPSTREAM_FAILED", "UPSTREAM_FAILED"])],
)
def test_what_waits_for_no_list_or_an_empty_one_ends_with_it(lab, symbols, states):
    lab.workflow("daily", DAILY, {"bars": {"map": "{{ universe.output }}"}})
    number = lab.start("daily")
    [universe] = lab.claim()
    lab.finish(lab.final(universe, output=symbols))
    lab.run()
    assert [lab.states(number)[key] for key in ("bars", "factors", "check")] == states
    lab.check(drained=True)
    if states[0] == "FAILED":
        assert lab.command("retry", number)[0] == "DONE"
        lab.check()
        lab.run()
        lab.check(drained=True)


def test_items_behind_a_map_that_did_not_run_do_so_under_their_rule(lab):
    tasks = {"bars": [], "factors": {"bars": "each"}}
    lab.workflow(
        "daily", tasks, {"bars": {"map": [1, 2], "when": "1 == 2"}, "factors": {"trigger_rule": "none_failed"}}
    )
    number = lab.start("daily")
    lab.run()
    assert lab.states(number) == {"bars": "SKIPPED"} | dict.fromkeys(["factors", "factors[0]", "factors[1]"], "SUCCESS")
    lab.check(drained=True)


def test_a_map_that_begins_late_makes_rows_for_what_has_ended(lab):
    tasks = {"calendar": [], "bars": [], "factors": {"bars": "each", "calendar": True}}
    lab.workflow("late", tasks, {"bars": {"map": [1, 2, 3]}})
    number = lab.start("late")
    held = {lab.key(row.id): row for row in lab.claim()}
    lab.finish(lab.final(held["bars[0]"], FAILED), lab.final(held["bars[2]"]))
    lab.finish(lab.final(held["calendar"]))
    lab.check()
    rows = lab.claim()
    assert names(lab, rows) == ["factors[2]"]
    assert lab.states(number)["factors[0]"] == "UPSTREAM_FAILED"
    lab.ends([held["bars[1]"], *rows])
    lab.run()
    assert lab.states(number)["factors"] == "FAILED"
    lab.check(drained=True)


def test_both_maps_of_a_terminated_instance_continue_where_they_were(lab):
    number = three(lab, 10, bars={"max_parallel": 3}, factors={"max_parallel": 2})
    held = lab.claim()
    lab.ends(held[:1])
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(*(lab.final(row, CANCELLED) for row in held[1:]))
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    while rows := lab.claim(2):
        lab.check()
        lab.ends(rows)
    assert (lab.state(number), len(lab.states(number))) == ("SUCCESS", 33)
    lab.check(drained=True)


@pytest.mark.parametrize("most", [1, 3, 4])
def test_a_retry_keeps_to_max_parallel(lab, most):
    number = three(lab, 10, bars={"max_parallel": most}, factors={"max_parallel": most})
    lab.run({f"bars[{i}]": FAILED for i in range(10) if i != 4} | {"factors[4]": FAILED})
    assert lab.command("retry", number)[1]["tasks"] == 10
    ran = 0
    while True:
        lab.check()
        states = lab.states(number)
        for key in ("bars", "factors"):
            items = [TaskState[states[f"{key}[{i}]"]] for i in range(10)]
            assert sum(state in (TaskState.READY, TaskState.RUNNING) for state in items) <= most
        if not (rows := lab.claim(2)):
            break
        ran += len(rows)
        lab.ends(rows)
    assert (lab.state(number), ran) == ("SUCCESS", 9 + 10 + 10)
    lab.check(drained=True)


def test_items_that_wait_for_a_place_say_so(lab):
    number = three(lab, 4, bars={"max_parallel": 2})
    lab.run({f"bars[{i}]": FAILED for i in range(4)})
    lab.command("retry", number)
    shown = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    reasons = {lab.key(row.id): row.wait_reason for row in shown}
    assert [reasons[f"bars[{i}]"] for i in (2, 3)] == ["waits for a place: max_parallel of its map"] * 2
    assert reasons["factors[3]"] == "waits for the same item of a map before it: bars[3]"


def test_a_retry_that_was_terminated_half_way_continues(lab):
    number = three(lab, 8, bars={"max_parallel": 3})
    lab.run({f"bars[{i}]": FAILED for i in range(8)})
    lab.command("retry", number)
    lab.ends(lab.claim())
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    lab.run()
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


def test_windows_of_both_maps_move_by_themselves(lab, monkeypatch):
    monkeypatch.setattr(item_rows, "WINDOW", 4)
    number = three(lab, 11, bars={"label": "s{{ index }}"})
    lab.run({"bars[s7]": FAILED})
    states = lab.states(number)
    assert (states["signals[s10]"], states["signals[s7]"]) == ("SUCCESS", "UPSTREAM_FAILED")
    lab.check(drained=True)
