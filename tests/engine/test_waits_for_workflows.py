"""A task waits until another workflow has succeeded for a business date, whenever that was or will be."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from qflowd.engine.plans.instances import Instances
from qflowd.engine.waits import successes
from qflowd.engine.waits.waits import AWAITED_S, IDLE_S
from qflowd.model.states import WaitState
from qflowd.store.tx import Tx
from tests.support.lab import FAILED, Lab
from tests.support.signals_sent import DAY, REGISTERING, drive, error, registering, wait_reason

BARS = {"workflow": "cn_bars"}


@pytest.fixture
def desk(lab: Lab) -> Lab:
    """Two workflows: one gives bars, and one only waits for them before it does anything."""
    lab.define("cn_bars", {"load": {"job": "work"}}, outputs={"rows": "{{ load.output }}"})
    lab.define(
        "nav",
        {"bars": {"wait_for": BARS}, "sum": {"job": "work", "after": "bars", "params": {"x": "{{ bars.output.outputs.rows }}"}}},
    )  # fmt: skip
    return lab


def output(lab: Lab, instance: int, task: str = "bars") -> Any:
    [(text,)] = lab.sql(f"SELECT output FROM qflow.tasks WHERE instance_id = {instance} AND task = '{task}'")
    return json.loads(text)


def test_a_success_that_comes_later_ends_the_wait_and_is_its_output(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    other_day = desk.start("nav", business_date="2026-11-23")
    drive(desk)
    assert wait_reason(desk, number, "bars") == f"waits for workflow cn_bars for {DAY} since 2026-11-20T09:30:00Z"
    assert desk.states(number) == {"bars": "PENDING", "sum": "PENDING"}
    desk.clock.advance(60)
    bars = desk.start("cn_bars", business_date=DAY)
    drive(desk, {"load": 7})
    assert output(desk, number) == {"instance_id": bars, "finished_at": "2026-11-20T09:31:00Z", "outputs": {"rows": 7}}
    assert (desk.state(number), desk.state(other_day)) == ("SUCCESS", "RUNNING")


def test_a_success_that_was_there_before_ends_the_wait_at_once(desk: Lab) -> None:
    desk.start("cn_bars", business_date=DAY)
    drive(desk, {"load": 7})
    desk.define("plain", {"load": {"job": "work", "wait_for": BARS}})
    numbers = [desk.start("nav", business_date=DAY), desk.start("plain", business_date=DAY)]
    drive(desk)
    assert [desk.state(number) for number in numbers] == ["SUCCESS", "SUCCESS"]
    desk.check(drained=True)


def test_until_idle_does_not_end_before_a_success_has_ended_the_wait(desk: Lab) -> None:
    def open_successes() -> int:
        return int(desk.store.read(lambda tx: tx.one("count_open", now=desk.clock.now())).successes)

    number = desk.start("nav", business_date=DAY)
    desk.waits.tick()
    assert open_successes() == 0
    desk.start("cn_bars", business_date=DAY)
    desk.finish(*(desk.final(row) for row in desk.claim()))
    assert open_successes() == 1
    drive(desk)
    assert (desk.state(number), open_successes()) == ("SUCCESS", 0)


def test_only_a_success_counts(desk: Lab) -> None:
    bars = desk.start("cn_bars", business_date=DAY)
    [row] = desk.claim()
    desk.finish(desk.final(row, FAILED))
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    assert (desk.state(bars), desk.state(number)) == ("FAILED", "RUNNING")
    desk.command("retry", bars)
    drive(desk)
    assert (desk.state(bars), desk.state(number)) == ("SUCCESS", "SUCCESS")


def test_what_another_tenant_has_does_not_count(desk: Lab) -> None:
    desk.define("cn_bars", {"load": {"job": "work"}}, tenant="other")
    theirs = desk.start("cn_bars", business_date=DAY, tenant="other")
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    assert (desk.state(theirs), desk.state(number)) == ("SUCCESS", "RUNNING")


def test_without_declared_outputs_the_instance_is_all_that_there_is(desk: Lab) -> None:
    desk.define("cn_bars", {"load": {"job": "work"}})
    desk.define("after", {"bars": {"wait_for": BARS}})
    bars, number = desk.start("cn_bars", business_date=DAY), desk.start("after", business_date=DAY)
    drive(desk)
    assert output(desk, number) == {"instance_id": bars, "finished_at": "2026-11-20T09:30:00Z"}


def test_outputs_are_read_once_however_many_tasks_wait_for_them(desk: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    outputs = successes.declared_outputs

    def noted(tx: Tx, instances: Instances, instance_id: int) -> str | None:
        read.append(instance_id)
        return outputs(tx, instances, instance_id)

    monkeypatch.setattr(successes, "declared_outputs", noted)
    desk.define("many", {f"t{i}": {"wait_for": BARS} for i in range(3)})
    number = desk.start("many", business_date=DAY)
    drive(desk)
    bars = desk.start("cn_bars", business_date=DAY)
    drive(desk, {"load": 7})
    assert [output(desk, number, f"t{i}")["outputs"] for i in range(3)] == [{"rows": 7}] * 3
    assert read == [bars]


def test_outputs_that_have_no_value_fail_the_wait(desk: Lab) -> None:
    desk.define("cn_bars", {"load": {"job": "work"}}, outputs={"rows": "{{ load.output.rows }}"})
    number = desk.start("nav", business_date=DAY)
    bars = desk.start("cn_bars", business_date=DAY)
    drive(desk, {"load": {}})
    assert error(desk, number, "bars").startswith(f"outputs of instance {bars}, of workflow cn_bars for {DAY}: ")


def test_the_date_may_be_another_one(desk: Lab) -> None:
    desk.define(
        "weekly",
        {
            "before": {"wait_for": BARS | {"business_date": "{{ prev_session(business_date, 1) }}"}},
            "fixed": {"wait_for": BARS | {"business_date": "2026-11-16"}},
        },
        calendar="XSHG",
    )
    number = desk.start("weekly", business_date="2026-11-23")
    drive(desk)
    desk.start("cn_bars", business_date="2026-11-20")
    drive(desk)
    assert desk.states(number) == {"before": "SUCCESS", "fixed": "PENDING"}
    desk.start("cn_bars", business_date="2026-11-16")
    drive(desk)
    assert desk.state(number) == "SUCCESS"


@pytest.mark.parametrize("statement", REGISTERING)
def test_a_success_while_a_task_registers_wakes_it(desk: Lab, statement: str) -> None:
    just_before = registering(desk, statement)
    other = Lab(desk.url, owner=8)
    desk.start("cn_bars", business_date=DAY)
    [row] = other.claim()
    number = desk.start("nav", business_date=DAY)

    def close() -> None:
        other.finish(other.final(row))
        other.waits.tick()

    just_before(close)
    drive(desk)
    assert desk.state(number) == "SUCCESS"
    other.close()


def test_a_rerun_that_begins_before_the_wait_has_ended_fails_it_where_its_outputs_are_gone(desk: Lab) -> None:
    desk.define("cn_marks", {"load": {"job": "work"}})
    desk.define("plain", {"bars": {"wait_for": {"workflow": "cn_marks"}}})
    numbers = [desk.start("nav", business_date=DAY), desk.start("plain", business_date=DAY)]
    drive(desk)
    runs = [desk.start("cn_bars", business_date=DAY), desk.start("cn_marks", business_date=DAY)]
    desk.finish(*(desk.final(row) for row in desk.claim()))
    assert successes.meet(desk.store) == 2
    for run in runs:
        assert desk.command("rerun", run, task="load")[0] == "DONE"
    desk.waits.tick()
    why = f"outputs of instance {runs[0]}, of workflow cn_bars for {DAY}: they are gone, as it has begun anew; "
    assert error(desk, numbers[0], "bars") == f"{why}retry this task, and it waits for the next success"
    assert output(desk, numbers[1]) == {"instance_id": runs[1]}


def test_a_daemon_that_is_lost_before_it_writes_that_a_wait_is_met_leaves_that_to_another(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    desk.start("cn_bars", business_date=DAY)
    desk.finish(*(desk.final(row) for row in desk.claim()))

    def die() -> None:
        raise SystemExit

    desk.just_before("meet_by_success", die)
    with pytest.raises(SystemExit):
        desk.waits.tick()
    other = Lab(desk.url, owner=8)
    drive(other)
    assert desk.state(number) == "SUCCESS"
    other.close()


def test_two_daemons_that_see_a_success_end_the_wait_once(desk: Lab) -> None:
    other = Lab(desk.url, owner=8)
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    desk.start("cn_bars", business_date=DAY)
    desk.finish(*(desk.final(row) for row in desk.claim()))
    desk.just_before("meet_by_success", other.waits.tick)
    drive(desk)
    assert (desk.state(number), output(desk, number)["outputs"]) == ("SUCCESS", {"rows": None})
    desk.check(drained=True)
    other.close()


def test_a_wait_for_a_workflow_ends_at_its_deadline(desk: Lab) -> None:
    ends = {"fail": ("FAILED", "timeout"), "skip": ("SKIPPED", "timeout"), "continue": ("SUCCESS", None)}
    desk.define("late", {each: {"wait_for": BARS | {"timeout": "2h", "on_timeout": each}} for each in ends})
    number = desk.start("late", business_date=DAY)
    drive(desk)
    assert wait_reason(desk, number, "fail").endswith(", at most until 2026-11-20T11:30:00Z")
    desk.clock.advance(7200)
    drive(desk)
    found = desk.sql(f"SELECT task, state, reason, error FROM qflow.tasks WHERE instance_id = {number}")
    assert {task: (state, reason) for task, state, reason, _ in found} == ends
    why = f"workflow cn_bars for {DAY} had not succeeded by 2026-11-20T11:30:00Z"
    assert {task: error for task, *_, error in found} == {"fail": why, "skip": why, "continue": None}


def test_a_success_that_is_there_when_its_deadline_is_dealt_with_counts(desk: Lab) -> None:
    desk.define("late", {"bars": {"wait_for": BARS | {"timeout": "2h"}}})
    number = desk.start("late", business_date=DAY)
    drive(desk)
    bars = desk.start("cn_bars", business_date=DAY)
    rows = desk.claim()
    desk.clock.advance(7201)
    desk.promote.tick()
    desk.finish(*(desk.final(row) for row in rows))
    drive(desk)
    assert (desk.state(number), output(desk, number)["instance_id"]) == ("SUCCESS", bars)


def test_a_workflow_that_is_unknown_or_archived_fails_the_task_at_once(desk: Lab) -> None:
    desk.define("lost", {"bars": {"wait_for": {"workflow": "cn_bar"}}})
    number = desk.start("lost", business_date=DAY)
    drive(desk)
    assert error(desk, number, "bars") == (
        "wait_for.workflow: there is no workflow 'cn_bar'; did you mean cn_bars?"
    )  # fmt: skip
    warnings = desk.sql("SELECT warning FROM qflow.workflows WHERE workflow = 'lost'")
    assert "there is no workflow cn_bar" in str(warnings)
    desk.command("archive", workflow="cn_bars")
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    assert error(desk, number, "bars") == (
        "wait_for.workflow: workflow 'cn_bars' is archived; `qflowd workflows unarchive cn_bars` brings it back"
    )


def test_one_that_is_disabled_or_archived_meanwhile_is_waited_for_and_that_is_said(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    desk.define("cn_bars", {"load": {"job": "work"}}, enabled=False)
    drive(desk)
    assert wait_reason(desk, number, "bars").endswith("Z; that workflow is disabled")
    desk.command("archive", workflow="cn_bars")
    assert wait_reason(desk, number, "bars").endswith("Z; that workflow is archived")
    assert desk.state(number) == "RUNNING"


def test_an_instance_that_would_wait_for_itself_fails_the_task_at_once(desk: Lab) -> None:
    own = {"workflow": "chain", "business_date": "{{ params.day or business_date }}"}
    desk.define("chain", {"own": {"wait_for": own}}, params={"day": {"type": "string", "default": ""}})
    first = desk.start("chain", business_date=DAY)
    before = desk.start("chain", business_date="2026-11-23", params=f'{{"day": "{DAY}"}}')
    drive(desk)
    assert error(desk, first, "own") == (
        "wait_for.workflow: is this workflow itself, for the date of this instance: name another `business_date`"
    )
    assert desk.state(before) == "RUNNING"


def test_without_a_date_there_is_nothing_to_wait_for(desk: Lab) -> None:
    desk.define(
        "odd", {"bars": {"wait_for": BARS | {"business_date": "{{ params.day }}"}}}, params={"day": {"type": "string"}}
    )
    number, odd = desk.start("nav"), desk.start("odd", params='{"day": "monday"}')
    drive(desk)
    assert error(desk, number, "bars") == (
        "wait_for.workflow: this instance has no business date; submit it with one, or name a `business_date` under `wait_for`"
    )
    assert error(desk, odd, "bars") == (
        "wait_for.business_date: 'monday' is not a date; write it like 2026-11-20"
    )  # fmt: skip


def test_a_rerun_waits_anew_and_a_skip_ends_a_wait(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    answer, why = desk.command("trigger", number, task="bars")
    assert (answer, f"waits for workflow cn_bars for {DAY}" in str(why)) == ("REJECTED", True)
    assert desk.command("skip", number, task="bars", reason="bars are late")[0] == "DONE"
    bars = desk.start("cn_bars", business_date=DAY)
    drive(desk, {"load": 1})
    assert desk.states(number)["bars"] == "SKIPPED"
    desk.check(drained=True)
    assert desk.command("rerun", number, task="bars")[0] == "DONE"
    drive(desk)
    assert (desk.state(number), output(desk, number)["instance_id"]) == ("SUCCESS", bars)


def test_daemons_look_often_only_as_long_as_somebody_waits_for_a_workflow(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    drive(desk)
    assert AWAITED_S <= desk.waits.tick() < IDLE_S
    desk.command("terminate", number)
    desk.sweep_all()
    other = Lab(desk.url, owner=8)
    assert AWAITED_S <= other.waits.tick() < IDLE_S  # it finds that nobody waits any more
    assert other.waits.tick() == desk.waits.tick() == IDLE_S
    other.close()


def test_waits_that_are_left_are_all_ended_at_once(desk: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successes, "BATCH", 2)
    desk.define("many", {f"t{i}": {"wait_for": BARS} for i in range(5)})
    number = desk.start("many", business_date=DAY)
    drive(desk)
    desk.command("terminate", number)
    desk.sweep_all()
    successes.end_left(desk.store)
    assert desk.store.read(lambda tx: tx.run("list_left_waits", batch=10)) == []
    assert set(desk.sql("SELECT state FROM qflow.waiter")) == {(WaitState.ENDED,)}


def test_a_look_that_took_long_is_not_repeated_whatever_else_there_is_to_do(desk: Lab) -> None:
    number = desk.start("nav", business_date=DAY)
    desk.waits = desk.waits_on(itertools.count().__next__)  # each look takes a second
    while (pause := desk.waits.tick()) < IDLE_S:
        pass
    desk.start("cn_bars", business_date=DAY)
    desk.finish(*(desk.final(row) for row in desk.claim()))
    assert [pause, *(desk.waits.tick() for _ in range(4))] == [IDLE_S, 4, 3, 2, 1]
    assert desk.states(number)["bars"] == "PENDING"
    desk.waits.tick()
    assert desk.states(number)["bars"] == "SUCCESS"
