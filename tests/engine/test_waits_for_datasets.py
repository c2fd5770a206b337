"""A task waits until a dataset is recorded, whenever that was or will be; a later version makes it stale."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.engine.waits.waits import AWAITED_S, IDLE_S
from tests.support.lab import Lab
from tests.support.signals_sent import DAY, REGISTERING, drive, error, registering, wait_reason

DAILY = "cn_daily@{{ business_date }}"
NAME = f"cn_daily@{DAY}"


@pytest.fixture
def desk(lab: Lab) -> Lab:
    """Two workflows: one produces bars, and one waits for them before its job runs."""
    lab.define("bars", {"publish": {"job": "work", "produces": DAILY}}, allow_duplicates=True)
    lab.define(
        "factors",
        {"bars": {"wait_for": {"dataset": DAILY}}, "sum": {"job": "work", "wait_for": {"dataset": DAILY}}},
        allow_duplicates=True,
    )
    return lab


def publish(lab: Lab, rows: int, **columns: Any) -> None:
    """Record a version; nothing else is done."""
    lab.start("bars", business_date=DAY, **columns)
    lab.finish(*(lab.final(row, output={"rows": rows}) for row in lab.claim()))


def output(lab: Lab, instance: int) -> Any:
    [(text,)] = lab.sql(f"SELECT output FROM qflow.tasks WHERE instance_id = {instance} AND task = 'bars'")
    return json.loads(text)


def uses(lab: Lab, columns: str = "task, version, latest_version, is_stale") -> list[tuple[Any, ...]]:
    return lab.sql(f"SELECT {columns} FROM qflow.dataset_uses ORDER BY id")


def test_a_version_that_comes_later_ends_the_wait_and_is_its_output(desk: Lab) -> None:
    number, other_day = desk.start("factors", business_date=DAY), desk.start("factors", business_date="2026-11-23")
    drive(desk)
    assert wait_reason(desk, number, "bars") == f"waits for dataset {NAME} since 2026-11-20T09:30:00Z"
    assert uses(desk) == []
    publish(desk, 5412)
    drive(desk)
    assert output(desk, number) == {"name": NAME, "version": 1, "metadata": {"rows": 5412}}
    assert (desk.state(number), desk.state(other_day)) == ("SUCCESS", "RUNNING")


def test_a_later_version_makes_stale_what_was_given_the_one_before_until_it_runs_again(desk: Lab) -> None:
    publish(desk, 1)
    number = desk.start("factors", business_date=DAY)
    drive(desk)
    assert desk.state(number) == "SUCCESS"
    assert uses(desk) == [("bars", 1, 1, 0), ("sum", 1, 1, 0)]
    publish(desk, 2)
    drive(desk)
    assert uses(desk) == [("bars", 1, 2, 1), ("sum", 1, 2, 1)]
    assert output(desk, number)["version"] == 1  # nothing runs by itself
    assert desk.command("rerun", number, task="bars")[0] == "DONE"
    drive(desk)
    assert output(desk, number) == {"name": NAME, "version": 2, "metadata": {"rows": 2}}
    assert uses(desk) == [("bars", 2, 2, 0), ("sum", 1, 2, 1)]
    assert uses(desk, "instance_id, workflow, name, series, tenant")[0] == (
        number,
        "factors",
        NAME,
        "cn_daily",
        "default",
    )
    desk.check(drained=True)


@pytest.mark.parametrize("statement", REGISTERING)
def test_a_version_while_a_task_registers_wakes_it(desk: Lab, statement: str) -> None:
    just_before = registering(desk, statement)
    other = Lab(desk.url, owner=8)
    desk.start("bars", business_date=DAY)
    [row] = other.claim()
    number = desk.start("factors", business_date=DAY)

    def record() -> None:
        other.finish(other.final(row))
        other.waits.tick()

    just_before(record)
    drive(desk)
    assert desk.state(number) == "SUCCESS"
    other.close()


def test_two_daemons_that_see_a_version_end_the_wait_once(desk: Lab) -> None:
    other = Lab(desk.url, owner=8)
    number = desk.start("factors", business_date=DAY)
    drive(desk)
    publish(desk, 7)
    desk.just_before("meet_by_dataset", other.waits.tick)
    drive(desk)
    assert (desk.state(number), output(desk, number)["metadata"]) == ("SUCCESS", {"rows": 7})
    desk.check(drained=True)
    other.close()


def test_what_another_tenant_produces_does_not_count(desk: Lab) -> None:
    desk.define("bars", {"publish": {"job": "work", "produces": DAILY}}, tenant="other")
    publish(desk, 1, tenant="other")
    number = desk.start("factors", business_date=DAY)
    drive(desk)
    assert desk.state(number) == "RUNNING"


def test_a_wait_for_a_dataset_ends_at_its_deadline(desk: Lab) -> None:
    wait = {"dataset": DAILY, "timeout": "2h"}
    desk.define("late", {each: {"wait_for": wait | {"on_timeout": each}} for each in ("fail", "skip", "continue")})
    number = desk.start("late", business_date=DAY)
    drive(desk)
    desk.clock.advance(7200)
    drive(desk)
    assert desk.states(number) == {"fail": "FAILED", "skip": "SKIPPED", "continue": "SUCCESS"}
    assert error(desk, number, "fail") == f"dataset {NAME} had not been recorded by 2026-11-20T11:30:00Z"
    assert uses(desk) == []


def test_a_version_that_is_there_when_its_deadline_is_dealt_with_counts(desk: Lab) -> None:
    desk.define("late", {"bars": {"wait_for": {"dataset": DAILY, "timeout": "2h"}}})
    number = desk.start("late", business_date=DAY)
    drive(desk)
    desk.start("bars", business_date=DAY)
    rows = desk.claim()
    desk.clock.advance(7201)
    desk.promote.tick()
    desk.finish(*(desk.final(row) for row in rows))
    drive(desk)
    assert (desk.state(number), uses(desk)) == ("SUCCESS", [("bars", 1, 1, 0)])


def test_until_idle_does_not_end_before_a_version_has_ended_the_wait(desk: Lab) -> None:
    def open_datasets() -> int:
        return int(desk.store.read(lambda tx: tx.one("count_open", now=desk.clock.now())).datasets)

    number = desk.start("factors", business_date=DAY)
    desk.waits.tick()
    assert open_datasets() == 0
    publish(desk, 1)
    assert open_datasets() == 1
    drive(desk)
    assert (desk.state(number), open_datasets()) == ("SUCCESS", 0)


def test_a_name_that_cannot_be_one_fails_the_task_and_a_trigger_says_what_to_do(desk: Lab) -> None:
    desk.define("odd", {"bars": {"wait_for": {"dataset": "cn_daily@{{ params.of }}"}}})
    number = desk.start("odd", params='{"of": "a b"}')
    waiting = desk.start("factors", business_date=DAY)
    drive(desk)
    assert error(desk, number, "bars") == (
        "wait_for.dataset: the name of a dataset 'a b' contains ' '; use letters, digits and _ - . /"
    )
    _, why = desk.command("trigger", waiting, task="bars")
    assert "Z: run what produces it, or `skip` the task" in str(why)


def test_daemons_look_often_only_as_long_as_somebody_waits_for_a_dataset(desk: Lab) -> None:
    number = desk.start("factors", business_date=DAY)
    drive(desk)
    assert AWAITED_S <= desk.waits.tick() < IDLE_S
    desk.command("terminate", number)
    desk.sweep_all()
    other = Lab(desk.url, owner=8)
    assert AWAITED_S <= other.waits.tick() < IDLE_S  # it finds that nobody waits any more
    assert other.waits.tick() == desk.waits.tick() == IDLE_S
    other.close()
