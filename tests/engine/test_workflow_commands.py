"""Commands for a workflow: it is paused and resumed as a whole, stopped, and its failed instances are retried."""

from __future__ import annotations

import threading
import time

import pytest

from qflowd.engine.definitions.schedules import Schedules
from tests.support.bulk import CHAIN, DRY, failed, of_workflow, wait_reason
from tests.support.lab import Lab


def test_a_workflow_stands_still_with_its_instances_and_what_is_submitted_meanwhile(chains):
    number, other = chains.start("chain"), chains.start("daily_bars")
    result = {"workflow": "chain", "matched": 1, "done": 1, "refused": 0, "refusals": {}}
    rehearsed = of_workflow(chains, "pause", args=DRY)[1]
    assert {name: rehearsed[name] for name in result} == result
    assert (chains.state(number), wait_reason(chains)) == ("RUNNING", None)
    effect = {"effect": "workflow 'chain' is paused: its schedule does not fire, and new instances begin PAUSED"}
    assert of_workflow(chains, "pause", reason="restated", requested_by="ada") == ("DONE", result | effect)
    again = {"already": "workflow 'chain' is already paused", "matched": 0, "done": 0}
    assert of_workflow(chains, "pause", requested_by="eve")[1] == result | again
    assert wait_reason(chains).startswith("paused by ada since 2026-11-20")
    late = chains.start("chain")
    assert [chains.state(each) for each in (number, late, other)] == ["PAUSED", "PAUSED", "RUNNING"]
    chains.sweep_all()
    assert chains.states(late) == chains.states(number) == {"a": "HELD", "b": "PENDING"}
    assert {row.id >> 20 for row in chains.claim()} == {other}
    chains.check()
    assert of_workflow(chains, "resume", args=DRY)[1]["done"] == 2
    resumed = of_workflow(chains, "resume")[1]
    effect = "workflow 'chain' is resumed: its schedule fires from now on"
    assert (resumed["done"], resumed["effect"]) == (2, effect)
    assert wait_reason(chains) is None
    chains.sweep_all()
    chains.run()
    assert [chains.state(each) for each in (number, late)] == ["SUCCESS", "SUCCESS"]


def test_what_a_person_paused_stays_paused_when_its_workflow_is_resumed(chains):
    number, other = chains.start("chain"), chains.start("chain")
    chains.command("pause", number)
    of_workflow(chains, "pause")
    assert of_workflow(chains, "resume")[1]["matched"] == 1
    assert (chains.state(number), chains.state(other)) == ("PAUSED", "RUNNING")


def test_the_schedule_of_a_paused_workflow_does_not_fire_and_continues_from_the_resume_on(lab):
    lab.workflow("chain", CHAIN, schedule={"cron": "0 * * * *", "catchup": "all(10)"})
    of_workflow(lab, "pause")
    lab.clock.advance(5 * 3600)
    schedules = Schedules(lab.store, lab.topics)
    schedules.tick()
    assert lab.sql("SELECT COUNT(*) FROM qflow.submissions") == [(0,)]
    [shown] = lab.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
    assert (shown.next_fire_at, shown.wait_reason) == (None, "the workflow is paused")
    of_workflow(lab, "resume")
    schedules.tick()
    assert lab.sql("SELECT COUNT(*) FROM qflow.submissions") == [(0,)], "nothing is caught up"
    lab.clock.advance(3600)
    schedules.tick()
    assert lab.sql("SELECT COUNT(*) FROM qflow.submissions") == [(1,)]


def test_nobody_has_a_turn_in_a_paused_workflow(lab):
    lab.workflow("chain", CHAIN, concurrency="sequential")
    first, second = lab.start("chain"), lab.start("chain")
    rows = lab.claim()
    of_workflow(lab, "pause")
    lab.ends(rows)
    lab.command("terminate", first)
    lab.sweep_all()
    lab.turns.tick()
    assert (lab.state(first), lab.state(second)) == ("TERMINATED", "READY")
    of_workflow(lab, "resume")
    assert "turn" in lab.published or lab.turns.tick() == 0
    lab.turns.tick()
    assert lab.state(second) == "RUNNING"


@pytest.mark.parametrize("lab", ["postgres", "mariadb"], indirect=True)
def test_two_pauses_of_one_workflow_at_once_do_not_wait_for_each_other(lab):
    lab.workflow("chain", CHAIN)
    number, other, tries = lab.start("chain"), Lab(lab.url), []
    asked = [lab.ask("pause", workflow="chain") for _ in range(2)]
    for each in (lab, other):
        each.store.instruments.listen(lambda event: tries.append(getattr(event, "tries", 1)))
    late = threading.Thread(target=other.commands.tick)

    def meanwhile() -> None:
        late.start()
        end = time.monotonic() + 30
        while not other.is_somebody_waiting() and time.monotonic() < end:
            time.sleep(0.01)

    lab.just_before("command", meanwhile, statement="pause_definition")
    lab.commands.tick()
    late.join(30)
    assert [lab.answer(each)[0] for each in asked] == ["DONE", "DONE"]
    assert (lab.state(number), max(tries)) == ("PAUSED", 1)
    other.close()


def test_a_workflow_that_is_not_paused_is_not_resumed(chains):
    state, error = of_workflow(chains, "resume")
    assert (state, error.split(";")[0]) == ("REJECTED", "workflow 'chain' is not paused")
    assert of_workflow(chains, "pause", "nothing")[1].startswith("there is no workflow 'nothing'")
    assert chains.command("stop") == ("REJECTED", "stop needs a workflow")


def test_a_workflow_is_stopped_and_its_failed_instances_are_retried(chains):
    assert of_workflow(chains, "retry") == ("REJECTED", "workflow 'chain' has no failed instance to retry")
    bad = failed(chains, count=2)
    good, held, other = chains.start("chain"), chains.start("chain", hold=1), chains.start("daily_bars")
    assert of_workflow(chains, "stop")[1]["done"] == 2
    chains.sweep_all()
    assert [chains.state(each) for each in (good, held, other)] == ["TERMINATED", "TERMINATED", "RUNNING"]
    assert of_workflow(chains, "retry")[1]["done"] == 2
    chains.run()
    assert {chains.state(each) for each in bad} == {"SUCCESS"}
    chains.check(drained=False)
