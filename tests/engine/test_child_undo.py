"""A saga undoes what the instances did that its tasks have started, where these are of sagas themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from qflowd.engine.child_workflows import children as children_service
from qflowd.engine.claiming.claim import Claimed
from qflowd.model.ids import ORDINALS
from qflowd.model.states import SagaState, TaskKind, TaskState
from qflowd.model.workflow import Job
from tests.support.lab import CANCELLED, FAILED, SUCCESS, Lab

LOAD = {"bars": {"job": "work"}, "check": {"job": "work", "after": "bars"}}
NIGHTLY = {
    "calendar": {"job": "work"},
    "us": {"workflow": "load_market", "after": "calendar"},
    "report": {"job": "work", "after": "us"},
}
FAILS = {"report": FAILED}
NOTHING: Mapping[str, TaskState] = MappingProxyType({})


@pytest.fixture(autouse=True)
def workflows(lab: Lab) -> None:
    work = Job(name="work", module="", file="work.py", hash="h", compensation="undo")
    lab.jobs.own = {"work": work} | {
        name: Job(name=name, module="", file="work.py", hash="h") for name in ("undo", "drop")
    }
    lab.define("load_market", LOAD, saga=True)
    lab.define("nightly", NIGHTLY, saga=True)


def steps(lab: Lab, ends: Mapping[str, TaskState]) -> Iterator[tuple[str, Claimed]]:
    """Do all that can be done; each row that is claimed, with its name, before it ends as `ends` says of the name.

    `undo bars` is the compensation of `bars`.
    """
    quiet = 0
    while quiet < 3:
        services = lab.children, lab.admit, lab.commands, lab.sweep, lab.turns, lab.compensate
        pauses = [service.tick() for service in services]
        lab.check()
        rows = lab.claim()
        for row in rows:
            name = ("undo " if row.kind == TaskKind.COMPENSATION else "") + lab.key(row.id)
            yield name, row
            lab.finish(lab.final(row, ends.get(name, SUCCESS)))
        quiet = 0 if rows or min(pauses) == 0 else quiet + 1


def play(lab: Lab, ends: Mapping[str, TaskState] = NOTHING) -> list[str]:
    """Do all that can be done; the names of what ran, in its order."""
    return [name for name, _ in steps(lab, ends)]


def play_until(lab: Lab, name: str, ends: Mapping[str, TaskState] = NOTHING) -> Claimed:
    """Do all until this row is claimed, which is held then."""
    return next(row for each, row in steps(lab, ends) if each == name)


def children(lab: Lab, parent: int) -> list[int]:
    first = parent * ORDINALS
    sql = f"SELECT DISTINCT instance_id FROM qflow.child WHERE task_id BETWEEN {first} AND {first + ORDINALS - 1}"
    return [number for (number,) in lab.sql(sql + " ORDER BY instance_id")]


def came_to(lab: Lab, number: int) -> tuple[str, str]:
    return lab.state(number), SagaState(lab.column("workflow_instance", "saga_state", number)).name


def compensations(lab: Lab, number: int) -> dict[str, str]:
    """Task key -> state, of rows that undo a task."""
    sql = f"SELECT task, state FROM qflow.compensations WHERE instance_id = {number} ORDER BY id"
    return dict(lab.sql(sql))  # type: ignore[arg-type]


def commands(lab: Lab) -> list[tuple[str, int, str, str]]:
    return lab.sql("SELECT action, instance_id, state, requested_by FROM qflow.commands ORDER BY id")  # type: ignore[return-value]


def test_an_instance_that_succeeded_is_undone_in_its_place_in_the_order(lab: Lab) -> None:
    parent = lab.start("nightly")
    assert play(lab, FAILS) == [
        *("calendar", "bars", "check", "report"),
        *("undo report", "undo check", "undo bars", "undo calendar"),
    ]
    [child] = children(lab, parent)
    assert (came_to(lab, parent), came_to(lab, child)) == (("FAILED", "COMPENSATED"), ("SUCCESS", "COMPENSATED"))
    assert compensations(lab, parent) == {"report": "SUCCESS", "us": "SUCCESS", "calendar": "SUCCESS"}
    assert commands(lab) == [("compensate", child, "DONE", f"instance:{parent}")]
    lab.check(drained=True)


def test_while_it_is_undone_the_compensation_says_what_it_waits_for(lab: Lab) -> None:
    parent = lab.start("nightly")
    play_until(lab, "undo check", FAILS)
    [child] = children(lab, parent)
    [row] = lab.sql("SELECT id, job, state, wait_reason FROM qflow.compensations WHERE task = 'us'")
    waits = f"waits for instance {child} of workflow load_market, which is RUNNING"
    assert row[1:] == ("workflow load_market", "PENDING", waits)
    assert lab.column("instances", "wait_reason", parent) == waits
    assert int(lab.column("instances", "parent_task_id", child)) == parent * ORDINALS + 1
    lab.check()


def test_an_instance_of_a_workflow_without_saga_is_left_as_it_is(lab: Lab) -> None:
    lab.define("load_market", LOAD)
    parent = lab.start("nightly")
    assert play(lab, FAILS)[4:] == ["undo report", "undo calendar"]
    assert came_to(lab, children(lab, parent)[0]) == ("SUCCESS", "NONE")
    assert compensations(lab, parent) == {"report": "SUCCESS", "calendar": "SUCCESS"}
    lab.check(drained=True)


def test_an_instance_that_failed_has_undone_itself_and_is_not_undone_again(lab: Lab) -> None:
    parent = lab.start("nightly")
    ran = play(lab, {"check": FAILED})
    assert ran == ["calendar", "bars", "check", "undo check", "undo bars", "undo calendar"]
    assert compensations(lab, parent) == {"calendar": "SUCCESS"}
    assert came_to(lab, children(lab, parent)[0]) == ("FAILED", "COMPENSATED")
    lab.check(drained=True)


def test_an_instance_that_cannot_be_undone_fails_the_compensation_and_a_retry_reaches_it(lab: Lab) -> None:
    parent = lab.start("nightly")
    assert play(lab, {**FAILS, "undo bars": FAILED})[4:] == ["undo report", "undo check", "undo bars"]
    [child] = children(lab, parent)
    assert came_to(lab, parent) == ("FAILED", "COMPENSATION_FAILED")
    assert compensations(lab, parent) == {"report": "SUCCESS", "us": "FAILED", "calendar": "UPSTREAM_FAILED"}
    [(why,)] = lab.sql("SELECT error FROM qflow.compensations WHERE task = 'us'")
    assert why == f"instance {child} of workflow load_market is not undone: one of its compensations failed"
    lab.check(drained=True)
    assert lab.command("retry", parent)[0] == "DONE"
    assert play(lab) == ["undo bars", "undo calendar"]
    assert (came_to(lab, parent), came_to(lab, child)) == (("FAILED", "COMPENSATED"), ("SUCCESS", "COMPENSATED"))
    assert [row[:3] for row in commands(lab)] == [
        ("compensate", child, "DONE"),
        ("retry", parent, "DONE"),
        ("retry", child, "DONE"),
    ]
    lab.check(drained=True)


def test_all_instances_that_a_task_has_started_are_undone_the_newest_first(lab: Lab) -> None:
    parent = lab.start("nightly")
    play(lab)
    assert lab.command("rerun", parent, task="us")[0] == "DONE"
    play(lab, FAILS)
    older, newer = children(lab, parent)
    assert [row[:3] for row in commands(lab)][1:] == [("compensate", newer, "DONE"), ("compensate", older, "DONE")]
    assert {came_to(lab, number) for number in (older, newer)} == {("SUCCESS", "COMPENSATED")}
    assert came_to(lab, parent) == ("FAILED", "COMPENSATED")
    lab.check(drained=True)


def test_instances_at_every_level_are_undone(lab: Lab) -> None:
    tasks = {"night": {"workflow": "nightly"}, "publish": {"job": "work", "after": "night"}}
    lab.define("above", tasks, saga=True)
    lab.start("above")
    assert play(lab, {"publish": FAILED})[4:] == [
        *("publish", "undo publish", "undo report", "undo check", "undo bars", "undo calendar"),
    ]
    assert lab.sql("SELECT DISTINCT saga_state FROM qflow.instances") == [("COMPENSATED",)]
    lab.check(drained=True)


def test_the_instance_of_each_item_of_a_map_is_undone(lab: Lab) -> None:
    markets = {"workflow": "load_market", "map": ["US", "HK"], "label": "{{ item }}"}
    lab.define("markets", {"all": markets, "report": {"job": "work", "after": "all"}}, saga=True)
    parent = lab.start("markets")
    play(lab, FAILS)
    assert came_to(lab, parent) == ("FAILED", "COMPENSATED")
    assert {came_to(lab, child) for child in children(lab, parent)} == {("SUCCESS", "COMPENSATED")}
    assert len(children(lab, parent)) == 2
    lab.check(drained=True)


def test_instances_that_take_turns_are_undone_one_after_the_other(lab: Lab) -> None:
    lab.define("load_market", LOAD, saga=True, concurrency="sequential")
    markets = {"workflow": "load_market", "map": ["US", "HK", "CN"]}
    lab.define("markets", {"all": markets, "report": {"job": "work", "after": "all"}}, saga=True)
    parent = lab.start("markets")
    ran = play(lab, FAILS)
    assert ran[ran.index("undo report") + 1 :] == ["undo check", "undo bars"] * 3
    assert came_to(lab, parent) == ("FAILED", "COMPENSATED")
    assert [row[::2] for row in commands(lab)] == [("compensate", "DONE")] * 3
    lab.check(drained=True)


def test_those_that_wait_for_their_turn_to_be_undone_hide_nothing_behind_them(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_service, "BATCH", 1)
    lab.define("load_market", LOAD, saga=True, concurrency="sequential")
    markets = {"workflow": "load_market", "map": ["US", "HK", "CN"]}
    lab.define("markets", {"all": markets, "report": {"job": "work", "after": "all"}}, saga=True)
    lab.start("markets")
    play_until(lab, "undo check", FAILS)
    lab.define("other", {"bars": {"job": "work"}})
    lab.define("caller", {"one": {"workflow": "other"}})
    number = lab.start("caller")
    for _ in range(4):
        lab.children.tick()
    assert lab.states(number) == {"one": "PENDING"}, "it waits for the instance that it has started"
    lab.check()


def test_a_job_that_a_task_names_undoes_it_in_place_of_its_instance(lab: Lab) -> None:
    us = {"workflow": "load_market", "compensate": "drop"}
    lab.define("nightly", {"us": us, "report": {"job": "work", "after": "us"}}, saga=True)
    parent = lab.start("nightly")
    assert play(lab, FAILS)[3:] == ["undo report", "undo us"]
    assert lab.sql("SELECT job, pool FROM qflow.compensations WHERE task = 'us'") == [("drop", "default")]
    assert came_to(lab, children(lab, parent)[0]) == ("SUCCESS", "NONE")
    lab.check(drained=True)


def test_an_instance_that_was_terminated_alone_is_undone_with_its_parent(lab: Lab) -> None:
    parent = lab.start("nightly")
    check = play_until(lab, "check")
    [child] = children(lab, parent)
    lab.command("terminate", child)
    lab.ends([check], CANCELLED)
    assert play(lab) == ["undo check", "undo bars", "undo calendar"]
    assert came_to(lab, child) == ("TERMINATED", "COMPENSATED")
    assert came_to(lab, parent) == ("FAILED", "COMPENSATED")
    lab.check(drained=True)


def test_a_terminated_undo_ends_below_first_and_a_retry_continues_it(lab: Lab) -> None:
    parent = lab.start("nightly")
    check = play_until(lab, "undo check", FAILS)
    [child] = children(lab, parent)
    assert lab.command("terminate", parent)[0] == "DONE"
    lab.sweep_all()
    assert lab.state(parent) == "RUNNING"
    play(lab)
    lab.ends([check], CANCELLED)
    play(lab)
    assert (came_to(lab, parent), came_to(lab, child)) == (
        ("FAILED", "COMPENSATION_FAILED"),
        ("SUCCESS", "COMPENSATION_FAILED"),
    )
    assert compensations(lab, parent)["us"] == "CANCELLED"
    lab.check(drained=True)
    assert lab.command("retry", parent)[0] == "DONE"
    assert play(lab) == ["undo check", "undo bars", "undo calendar"]
    assert (came_to(lab, parent)[1], came_to(lab, child)[1]) == ("COMPENSATED", "COMPENSATED")
    lab.check(drained=True)


def test_a_succeeded_parent_that_is_compensated_undoes_its_instances(lab: Lab) -> None:
    lab.define("nightly", NIGHTLY)
    parent = lab.start("nightly")
    play(lab)
    assert lab.command("compensate", parent) == ("DONE", {"instance_id": parent, "compensations": 3})
    assert play(lab) == ["undo report", "undo check", "undo bars", "undo calendar"]
    assert came_to(lab, parent) == ("SUCCESS", "COMPENSATED")
    lab.check(drained=True)


def test_a_saga_that_did_nothing_is_undone_at_once(lab: Lab) -> None:
    lab.define("load_market", {"bars": {"job": "drop"}}, saga=True)
    parent = lab.start("nightly")
    assert play(lab, FAILS)[3:] == ["undo report", "undo calendar"]
    [child] = children(lab, parent)
    [(result,)] = lab.sql(f"SELECT result FROM qflow.commands WHERE instance_id = {child}")
    assert json.loads(result) == {"instance_id": child, "compensations": 0}
    assert (came_to(lab, parent)[1], came_to(lab, child)[1]) == ("COMPENSATED", "COMPENSATED")
    lab.check(drained=True)
