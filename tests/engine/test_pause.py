"""Pause and resume: an instance stands still with all its rows, and continues where it stood."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qflowd.engine.commands.pause import hold_rows
from qflowd.engine.commands.sweep import BUSY_S, IDLE_S, Sweep, sweep_part
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.model.states import Intent
from tests.support.lab import FAILED, Lab

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
FLAT = {f"t{i}": [] for i in range(10)}


def wait_reason(lab: Lab, number: int) -> str | None:
    return lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number)).wait_reason


def shown(lab: Lab, number: int) -> list[tuple[str, str | None]]:
    """State and wait_reason of each task, as the view tells them."""
    rows = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    return [(row.state, row.wait_reason) for row in rows]


def test_all_that_is_ready_is_held_and_continues_after_resume(lab):
    lab.workflow("flat", FLAT)
    number = lab.start("flat")
    assert lab.command("pause", number) == ("DONE", {"instance_id": number, "state": "PAUSED"})
    assert (lab.state(number), lab.published[-1]) == ("PAUSED", "intent")
    assert shown(lab, number) == [("HELD", "the instance is paused")] * 10, "whoever looks sees it before the sweep"
    lab.sweep_all()
    assert (set(lab.states(number).values()), lab.claim()) == ({"HELD"}, [])
    assert lab.column("workflow_instance", "intent", number) == 0
    lab.check()
    assert lab.command("resume", number) == ("DONE", {"instance_id": number, "state": "RUNNING"})
    lab.sweep_all()
    assert (lab.state(number), set(lab.states(number).values())) == ("RUNNING", {"READY"})
    assert lab.published[-1] == "ready"
    lab.succeeds(number)


def test_who_paused_it_when_and_why_is_shown(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.command("pause", number, requested_by="ada@desk", reason="the vendor is down")
    lab.clock.advance(60)
    lab.command("pause", number, requested_by="bob@desk", reason="me too")
    assert wait_reason(lab, number).startswith("paused by ada@desk since 2026-11-20T09:30:00")
    assert wait_reason(lab, number).endswith(": the vendor is down")
    lab.command("resume", number)
    assert wait_reason(lab, number) in (None, "no daemon is running")
    lab.command("pause", number)
    assert wait_reason(lab, number).startswith("paused since 2026-11-20T09:31:00")


def test_what_runs_ends_and_what_follows_it_is_held(lab):
    lab.workflow("chain", CHAIN)
    number, other = lab.start("chain"), lab.start("chain")
    rows = lab.claim()
    lab.command("pause", number)
    lab.sweep_all()
    lab.ends(rows)
    assert shown(lab, number)[1] == ("HELD", "the instance is paused")
    assert [row.id >> 20 for row in lab.claim()] == [other]
    assert lab.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "PENDING"}
    lab.check()


@pytest.mark.parametrize("way", ["a retry", "run_at"])
def test_what_waits_for_its_time_waits_on_and_is_held_when_it_has_come(lab, way):
    lab.workflow("chain", CHAIN)
    later = lab.clock.now() + timedelta(minutes=1)
    number = lab.start("chain", run_at=later if way == "run_at" else None)
    if way == "a retry":
        [row] = lab.claim()
        lab.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, 1, 1, later)]))
    lab.command("pause", number)
    lab.sweep_all()
    assert lab.states(number)["a"] == "PENDING"
    lab.clock.advance(60)
    lab.promote.tick()
    assert (shown(lab, number)[0][0], lab.claim()) == ("HELD", [])
    lab.command("resume", number)
    lab.sweep_all()
    lab.succeeds(number)


def test_what_a_worker_gives_back_is_held_too(lab):
    lab.workflow("flat", FLAT)
    number = lab.start("flat")
    lab.lane(lab.sql("SELECT id FROM qflow.lane")[0][0]).learn(0.001, 10)  # short: reserved, not running
    rows = lab.claim(4)
    lab.command("pause", number)
    assert lab.sweep.tick() == BUSY_S, "what is reserved may not have begun"
    assert lab.published[-1] == "stopping"
    lab.finish(batch=Batch(released=[Released(row.id, row.fence, 0, 0) for row in rows]))
    lab.sweep_all()
    assert set(lab.states(number).values()) == {"HELD"}
    assert lab.column("workflow_instance", "intent", number) == 0
    lab.check()


def test_an_instance_ends_normally_while_it_is_paused(lab):
    lab.workflow("one", {"a": []})
    good, bad = lab.start("one"), lab.start("one")
    first, second = lab.claim()
    lab.command("pause", good), lab.command("pause", bad)
    lab.finish(lab.final(first), lab.final(second, FAILED))
    assert (lab.state(good), lab.state(bad)) == ("SUCCESS", "FAILED")
    lab.sweep_all()
    assert lab.command("resume", good)[0] == "REJECTED"
    lab.check(drained=True)


def test_a_paused_instance_is_terminated_whether_it_was_swept_or_not(lab):
    lab.workflow("flat", FLAT)
    numbers = [lab.start("flat") for _ in range(2)]
    lab.command("pause", numbers[0])
    lab.sweep_all()
    lab.command("pause", numbers[1])
    for number in numbers:
        assert lab.command("terminate", number)[0] == "DONE"
        for action in ("pause", "resume"):
            state = lab.state(number)
            said = f"instance {number} is {state} and being terminated; wait until it is TERMINATED"
            assert lab.command(action, number) == ("REJECTED", said)
    lab.sweep_all()
    assert {lab.state(number) for number in numbers} == {"TERMINATED"}
    lab.check(drained=True)


def test_only_a_running_instance_is_paused(lab):
    lab.workflow("chain", CHAIN)
    held, number = lab.start("chain", hold=1), lab.start("chain")
    why = "only one that is RUNNING can be paused"
    possible = "; possible now: resume, start, terminate"
    assert lab.command("pause", held)[1].startswith(f"instance {held} is READY; {why}{possible}")
    lab.run()
    assert lab.command("pause", number)[1].startswith(f"instance {number} is SUCCESS; {why}")
    other = lab.start("chain")
    lab.ends(lab.claim(), FAILED)
    assert lab.command("pause", other)[1].startswith(f"instance {other} is FAILED; {why}; possible now: ")


def test_the_timeout_of_an_instance_does_not_run_while_it_is_paused(lab):
    lab.workflow("chain", CHAIN, timeout="1m")
    number = lab.start("chain")
    lab.clock.advance(40)
    lab.command("pause", number)
    lab.sweep_all()
    lab.clock.advance(3600)
    lab.promote.tick()
    assert lab.state(number) == "PAUSED"
    lab.command("resume", number)
    lab.clock.advance(19)
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", number) != Intent.TERMINATE
    lab.clock.advance(1)
    lab.promote.tick()
    lab.sweep_all()
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_it_continues_with_the_version_and_params_it_began_with(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", params='{"day":"2026-11-20"}')
    lab.command("pause", number)
    lab.sweep_all()
    lab.workflow("chain", {"a": [], "z": ["a"]})
    lab.command("resume", number)
    lab.sweep_all()
    lab.run()
    assert lab.states(number) == dict.fromkeys("abc", "SUCCESS")
    assert lab.column("workflow_instance", "params", number) == '{"day":"2026-11-20"}'


# ------------------------------------------------------------------------------------------------ the sweep


def test_a_large_instance_is_swept_in_parts_with_rests_between(lab, monkeypatch):
    monkeypatch.setattr("qflowd.engine.commands.sweep.PART", 3)
    lab.workflow("flat", FLAT)
    number = lab.start("flat")
    lab.command("pause", number)
    assert lab.sweep.tick() not in (BUSY_S, IDLE_S)  # a rest
    assert list(lab.states(number).values()) == ["HELD"] * 3 + ["READY"] * 7
    lab.command("resume", number)  # in the middle
    lab.sweep_all()
    assert set(lab.states(number).values()) == {"READY"}
    lab.succeeds(number)


def test_another_daemon_ends_a_sweep_that_one_began(lab, monkeypatch):
    monkeypatch.setattr("qflowd.engine.commands.sweep.PART", 3)
    lab.workflow("flat", FLAT)
    number = lab.start("flat")
    lab.command("pause", number)
    lab.sweep.tick()
    lab.sweep = Sweep(lab.store, lab.topics)
    lab.sweep_all()
    assert set(lab.states(number).values()) == {"HELD"}


def test_a_sweep_that_is_late_changes_nothing(lab):
    lab.workflow("flat", FLAT)
    number = lab.start("flat")
    lab.command("pause", number)
    lab.sweep_all()
    lab.command("resume", number)
    lab.sweep_all()
    first = number << 20
    assert lab.store.transact(lambda tx: sweep_part(tx, number, Intent.PAUSE, first, first + 9)) is None
    assert set(lab.states(number).values()) == {"READY"}


def test_a_resume_that_comes_in_the_middle_of_a_part_undoes_it(lab, monkeypatch):
    lab.workflow("flat", FLAT)
    number, other, looks = lab.start("flat"), Lab(lab.url), []

    def hold_and_be_late(tx, first, last):
        hold_rows(tx, first, last)
        looks.append(tx)
        if len(looks) == 1:
            tx.run("flag_resume", id=number, deadline_at=None, now=tx.now)  # as if another had been quicker

    lab.command("pause", number)
    carried = Sweep.tick.__globals__["INTENTS"]
    monkeypatch.setitem(carried, Intent.PAUSE, carried[Intent.PAUSE]._replace(rows=hold_and_be_late))
    lab.sweep_all()
    assert len(looks) == 2, "what was swept under a flag that had gone was rolled back"
    other.close()


def test_what_a_claim_has_held_has_not_started(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    lab.command("pause", number)
    assert lab.claim() == []
    sql = f"SELECT state, started_at FROM qflow.tasks WHERE instance_id = {number}"
    assert lab.sql(sql) == [("HELD", None)] * 2
