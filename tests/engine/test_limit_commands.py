"""Commands on limits: what they change, what the configuration still says, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine.limits.limit_repair import LimitRepair
from qflowd.engine.limits.limit_settings import etag_of, save_configured, sizes
from qflowd.engine.limits.limit_settings import unset as unset_limit
from qflowd.store.tx import Store
from tests.support.daemon import until
from tests.support.lab import Lab
from tests.support.limits import claim, end, have_job, set_limits

SHOWN = "SELECT slots, rates, source, set_by, note FROM qflow.limits WHERE name = 'vendor'"


def ask(lab: Lab, action: str, name: str | None = "vendor", **args: Any) -> tuple[str, Any]:
    """Ask as ann; the state and the result or the error."""
    args = args if name is None else {"limit": name, **args}
    return lab.command(action, args=json.dumps(args), requested_by="ann", reason="a new contract")


def test_a_limit_that_is_set_before_anything_has_named_it_may_be_mistyped(lab):
    set_limits(lab, vendor=2)
    new = "nothing has named limit 'vendr' before; did you mean vendor?"
    assert ask(lab, "set_limit", "vendr", slots=3)[1]["new"] == new
    assert "new" not in ask(lab, "set_limit", "vendr", slots=4)[1]


def test_a_command_wins_over_the_configuration_until_it_is_unset(lab):
    save_configured(lab.store, {"vendor": LimitConfig(slots=2, rate=("5/min",))})
    state, result = ask(lab, "set_limit", slots=4)
    assert (state, result) == (
        "DONE",
        {"limit": "vendor", "slots": 4, "rate": ["5/min"], "source": "command", "used": 0},
    )
    assert lab.sql(SHOWN) == [(4, '["5/min"]', "command", "ann", "a new contract")]
    save_configured(lab.store, {"vendor": LimitConfig(slots=3)})
    assert lab.sql(SHOWN)[0][:3] == (4, '["5/min"]', "command")
    assert ask(lab, "unset_limit")[1]["slots"] == 3
    assert lab.sql(SHOWN) == [(3, None, "config", None, None)]
    assert ask(lab, "unset_limit") == ("REJECTED", "limit vendor was not set by a command, but by: config")


def test_what_a_command_leaves_out_stays_and_an_empty_list_takes_rates_away(lab):
    ask(lab, "set_limit", rate=["200/min", "8000/day"])
    assert lab.sql(SHOWN)[0][:2] == (1_000_000, '["200/min", "8000/day"]')
    ask(lab, "set_limit", slots=4)
    assert lab.sql(SHOWN)[0][:2] == (4, '["200/min", "8000/day"]')
    ask(lab, "set_limit", rate=[])
    assert lab.sql(SHOWN)[0][:2] == (4, None)


def test_a_pattern_that_is_set_and_unset_moves_what_nobody_has_set(lab):
    have_job(lab, {"bank:icbc": 1}), have_job(lab, {"bank:boc": 1}, "other")
    lab.start(job="work"), lab.start(job="other")
    ask(lab, "set_limit", "bank:boc", slots=7)
    ask(lab, "set_limit", "bank:*", slots=3)
    sizes = "SELECT name, slots, source FROM qflow.limits ORDER BY name"
    assert lab.sql(sizes) == [("bank:*", 3, "command"), ("bank:boc", 7, "command"), ("bank:icbc", 3, "pattern")]
    ask(lab, "unset_limit", "bank:boc")
    assert lab.sql(sizes)[1] == ("bank:boc", 3, "pattern")
    ask(lab, "unset_limit", "bank:*")
    assert lab.sql(sizes) == [("bank:boc", 1, "default"), ("bank:icbc", 1, "default")]


def test_what_a_command_takes_away_while_the_configuration_is_saved_is_made_anew(open_lab):
    lab = open_lab("postgres")  # the others lock what an INSERT leaves as it is
    ask(lab, "set_limit", "bank:*", slots=2)

    def unset() -> None:
        other = Store(lab.url)
        other.transact(lambda tx: unset_limit(tx, tx.one("find_limit", name="bank:*")))
        other.close()

    lab.just_before("save", unset, statement="lock_limits")
    save_configured(lab.store, {"bank:*": LimitConfig(slots=3)})
    assert lab.sql("SELECT name, slots, source FROM qflow.limits") == [("bank:*", 3, "config")]


def test_slots_that_a_command_takes_away_are_not_taken_from_those_who_hold_them(lab):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": 1})
    for _ in range(6):
        lab.start(job="work")
    rows = claim(lab)
    assert ask(lab, "set_limit", slots=1)[1]["used"] == 3
    end(lab, rows[:2])
    assert claim(lab) == []
    end(lab, rows[2:])
    assert len(claim(lab)) == 1
    assert lab.sql("SELECT slots, used FROM qflow.limits") == [(1, 1)]


def test_a_paused_limit_gives_nothing_and_says_who_paused_it_until_it_is_resumed(lab):
    have_job(lab, {"vendor": 1})
    number = lab.start(job="work")
    assert ask(lab, "pause_limit") == ("DONE", {"limit": "vendor", "used": 0, "resumes_at": None})
    lab.clock.advance(86_400 * 365)
    assert claim(lab) == []
    shown = "SELECT paused_by, pause_reason, resumes_at FROM qflow.limits"
    assert lab.sql(shown) == [("ann", "a new contract", None)]
    reason = "SELECT reason FROM qflow.lane_wait"
    assert lab.sql(reason)[0][0] == "no daemon is running"  # of a lab; real daemons say more, see tests/faults
    assert ask(lab, "resume_limit") == ("DONE", {"limit": "vendor"})
    assert lab.sql(shown) == [(None, None, None)]
    assert [row.id >> 20 for row in claim(lab)] == [number]
    assert ask(lab, "resume_limit") == ("REJECTED", "limit vendor is not paused")


def test_a_pause_may_have_an_end_and_a_task_that_asks_for_less_does_not_shorten_it(lab):
    have_job(lab, {"vendor": 1})
    lab.start(job="work"), lab.start(job="work")
    [row] = claim(lab)
    ask(lab, "pause_limit", **{"for": "10m"})
    soon = lab.clock.now().replace(minute=31)
    end(lab, [row], pauses=[(row.id, "vendor", soon, "429")])
    assert lab.sql("SELECT paused_by, pause_reason FROM qflow.limits") == [("ann", "a new contract")]
    lab.clock.advance(599)
    assert claim(lab) == []
    lab.clock.advance(2)
    assert len(claim(lab)) == 1


def test_a_command_is_about_all_tenants(lab):
    have_job(lab, {"vendor": 1})
    lab.start(job="work", tenant="fund_b")
    args = json.dumps({"limit": "vendor"})
    number = lab.ask("pause_limit", args=args, tenant="fund_a")
    lab.commands.tick()
    assert lab.answer(number, "fund_a")[0] == "DONE"
    assert claim(lab) == []


@pytest.mark.parametrize(
    ("action", "args", "error"),
    [
        (
            "set_limit",
            {"limit": "vendor", "slots": 0},
            "args.slots: must be at least 1; to let nothing begin, pause the limit: `qflowd limits pause NAME`",
        ),
        ("set_limit", {"limit": "vendor"}, "args: needs slots, rate or breaker"),
        ("set_limit", {"slots": 1}, "args.limit: is missing"),
        (
            "set_limit",
            {"limit": "vendor", "rate": "9/0.1s"},
            "args.rate: rate '9/0.1s': no clock can meet it; the time must be from 1s to 31d",
        ),
        (
            "set_limit",
            {"limit": "vendor", "rate": ["fast"]},
            "args.rate: 'fast' is not a rate; write it like 200/min, 8000/day or 5/10s",
        ),
        ("set_limit", {"limit": "a b", "slots": 1}, "args.limit: limit 'a b' contains ' '; use letters, digits and _ - . / :"),
        ("set_limit", {"limit": "vendor", "slot": 1}, "args.slot: unknown key; did you mean slots?"),
        ("unset_limit", {"limit": "vendr"}, "there is no limit 'vendr'; did you mean vendor?"),
        ("pause_limit", {"limit": "bank"}, "there is no limit 'bank'; `qflowd limits` lists those there are"),
        (
            "pause_limit",
            {"limit": "bank:*"},
            "args.limit: bank:* is a pattern; name one of the limits that fit it, `qflowd limits` lists them",
        ),
        ("pause_limit", {"limit": "vendor", "for": "soon"}, "args.for: 'soon' is not a duration; write it like \"10m\", \"1h30m\" or \"500ms\""),
        ("pause_limit", {"limit": "vendor", "for": "10"}, 'args.for: 10 has no unit; write "10m" for minutes, "10h" for hours or "10d" for days'),
        ("resume_limit", {"limit": "vendr"}, "there is no limit 'vendr'; did you mean vendor?"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_to_a_limit_is_refused_with_the_reason(lab, action, args, error):
    set_limits(lab, vendor=2)
    assert lab.command(action, args=json.dumps(args)) == ("REJECTED", error)
    assert lab.sql("SELECT name, slots, resumes_at FROM qflow.limits") == [("vendor", 2, None)]


def test_what_rows_hold_of_a_limit_comes_back_whatever_a_command_does_meanwhile(lab):
    have_job(lab, {"vendor": 1})
    lab.start(job="work")
    [row] = claim(lab)
    ask(lab, "set_limit", slots=9), ask(lab, "pause_limit"), ask(lab, "unset_limit")
    end(lab, [row])
    assert lab.sql("SELECT used, slots FROM qflow.limits") == [(0, 1)]


# ------------------------------------------------------------------------------------------------ side by side


@pytest.fixture
def beside(lab: Lab) -> Iterator[Callable[..., Future[tuple[str, Any]]]]:
    """Have another daemon carry out a command: when this returns, it has, or waits for a lock of ours."""
    with closing(Lab(lab.url, owner=8)) as other, ThreadPoolExecutor(1) as threads:

        def begin(*args: Any, **more: Any) -> Future[tuple[str, Any]]:
            answer = threads.submit(ask, other, *args, **more)
            until(lambda: answer.done() or not lab.store.dialect.has_row_locks or other.is_somebody_waiting(), 20)
            return answer

        yield begin
        threads.submit(other.store.disconnect).result(20)


def test_a_limit_that_a_claim_has_locked_is_waited_for(lab, beside):
    set_limits(lab, vendor=2)

    def hold(tx):
        tx.run("lock_limits", rows=[("vendor",)])
        return beside("pause_limit")

    assert lab.store.transact(hold).result(20)[0] == "DONE"


def test_what_a_command_sets_while_a_daemon_saves_its_configuration_stays(lab, beside):
    set_limits(lab, vendor=2)
    answers = []
    lab.just_before("save", lambda: answers.append(beside("set_limit", slots=5)), statement="set_limits")
    set_limits(lab, vendor=3)
    assert answers[0].result(20)[0] == "DONE"
    assert lab.sql(SHOWN)[0][:3] == (5, None, "command")
    assert ask(lab, "unset_limit")[1]["slots"] == 3


def test_what_a_command_sets_while_a_pattern_goes_away_stays(lab, beside):
    have_job(lab, {"bank:icbc": 1})
    lab.start(job="work")
    ask(lab, "set_limit", "bank:*", slots=3)
    answers = []
    lab.just_before(
        "command", lambda: answers.append(beside("set_limit", "bank:icbc", slots=7)), statement="set_limits"
    )
    assert ask(lab, "unset_limit", "bank:*")[0] == "DONE"
    assert answers[0].result(20)[0] == "DONE"
    assert lab.sql("SELECT name, slots, source FROM qflow.limits") == [("bank:icbc", 7, "command")]


def test_a_limit_that_is_made_while_its_pattern_changes_follows_it_in_the_end(lab, beside):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    ask(lab, "set_limit", "bank:*", slots=3)
    have_job(lab, {"bank:icbc": 1})
    lab.just_before("make_lanes", lambda: beside("set_limit", "bank:*", slots=5), statement="add_limits")
    lab.start(job="work")
    LimitRepair(lab.store, lab.topics).tick()
    assert lab.sql("SELECT slots, source FROM qflow.limits WHERE name = 'bank:icbc'") == [(5, "pattern")]


def test_of_two_who_make_a_limit_from_the_same_settings_one_is_first(lab, beside):
    nothing = etag_of(lab.store.read(lambda tx: sizes(tx, ["bank:icbc"]))["bank:icbc"])
    others: list[Any] = []
    lab.just_before(
        "command",
        lambda: others.append(beside("set_limit", "bank:icbc", slots=7, etag=nothing)),
        statement="add_limits",
    )
    answers = [ask(lab, "set_limit", "bank:icbc", slots=3, etag=nothing), others[0].result(20)]
    assert sorted(state for state, _ in answers) == ["DONE", "REJECTED"]
    assert "was changed meanwhile" in str(answers)
    [slots] = [result["slots"] for state, result in answers if state == "DONE"]
    assert lab.sql("SELECT slots, source FROM qflow.limits") == [(slots, "command")]


def test_of_two_who_make_a_limit_the_last_one_is_told_that_it_is_there(lab, beside):
    others: list[Any] = []
    lab.just_before("command", lambda: others.append(beside("set_limit", "bank:icbc", slots=7)), statement="add_limits")
    answers = [ask(lab, "set_limit", "bank:icbc", rate="9/min"), others[0].result(20)]
    assert [state for state, _ in answers] == ["DONE", "DONE"]
    assert len([result for _, result in answers if "new" in result]) == 1
    assert lab.sql("SELECT slots, rates FROM qflow.limits") == [(7, '["9/min"]')]
