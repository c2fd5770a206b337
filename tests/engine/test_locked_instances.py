"""An instance that a stranger's transaction keeps locked holds up what is asked of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from qflowd.engine.commands.inbox import IDLE_S, LATER_S
from qflowd.engine.finishing.batch import Batch
from qflowd.model.instruments import TimersPromoted
from qflowd.model.states import Intent
from qflowd.model.workflow import Job
from qflowd.store.dialects.base import Limits
from tests.support.lab import FAILED, Lab

ONE = {"a": []}


@pytest.fixture
def hasty(lab: Lab) -> Lab:
    """The lab of a daemon that waits for a locked row no longer than it must."""
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    lab.store.disconnect()
    lab.store.dialect.limits = Limits(lock_s=1)
    lab.store._is_of_daemon = True
    return lab


@contextmanager
def locked(lab: Lab, number: int) -> Iterator[None]:
    with closing(lab.store.dialect.connect()) as stranger:
        stranger.begin()
        stranger.script(f"SELECT 1 FROM qflow.workflow_instance WHERE id = {number} FOR UPDATE")
        yield
        stranger.rollback()


def ask_for_limit(lab: Lab) -> list[int]:
    return [lab.ask("set_limit", args='{"limit": "vendor", "slots": 2}')]


def answers(lab: Lab, numbers: list[int]) -> list[str]:
    return [lab.answer(number)[0] for number in numbers]


def test_commands_for_other_instances_are_carried_out_and_those_for_the_same_keep_their_order(hasty, caplog):
    hasty.workflow("chain", ONE)
    first, second = hasty.start("chain"), hasty.start("chain")
    asked = [hasty.ask("pause", first), hasty.ask("resume", task_id=first << 20, task="a")]
    asked += [hasty.ask("pause", second), hasty.ask("resume", workflow="chain"), hasty.ask("explode")]
    asked += [hasty.ask("resume", second), *ask_for_limit(hasty)]
    with locked(hasty, first):
        assert hasty.commands.tick() == LATER_S
        assert answers(hasty, asked) == ["NEW", "NEW", "DONE", "NEW", "REJECTED", "NEW", "DONE"]
    assert f"command {asked[0]}: transaction command" in caplog.text
    hasty.commands.tick()
    assert answers(hasty, asked) == ["DONE", "REJECTED", "DONE", "REJECTED", "REJECTED", "DONE", "DONE"]
    assert (hasty.state(first), hasty.state(second)) == ("PAUSED", "RUNNING")


@pytest.mark.parametrize(
    "many", [{"action": "stop", "workflow": "chain"}, {"action": "terminate", "filter": '{"workflow": "chain"}'}]
)
def test_a_command_for_many_that_meets_a_locked_instance_keeps_its_place_and_stops_no_others(hasty, many):
    hasty.workflow("chain", ONE)
    first, second = hasty.start("chain"), hasty.start("chain")
    rehearsed = hasty.ask("pause", filter='{"workflow": "chain"}', args='{"dry_run": true}')
    asked = [rehearsed, hasty.ask("pause", second), hasty.ask(**many), hasty.ask("resume", second)]
    asked += ask_for_limit(hasty)
    with locked(hasty, first):
        assert hasty.commands.tick() == LATER_S
        assert answers(hasty, asked) == ["NEW", "DONE", "NEW", "NEW", "DONE"]
    pauses_s = [hasty.commands.tick() for _ in range(3)]
    assert pauses_s[-1] == IDLE_S
    assert answers(hasty, asked) == ["DONE", "DONE", "DONE", "REJECTED", "DONE"]
    hasty.sweep.tick()
    assert {hasty.state(first), hasty.state(second)} == {"TERMINATED"}


def test_other_instances_are_swept(hasty):
    hasty.workflow("one", ONE)
    first, second = hasty.start("one"), hasty.start("one")
    hasty.command("terminate", first), hasty.command("terminate", second)
    with locked(hasty, first):
        hasty.sweep.tick()
        assert (hasty.state(first), hasty.state(second)) == ("RUNNING", "TERMINATED")
    hasty.sweep.tick()
    assert hasty.state(first) == "TERMINATED"


def test_other_instances_have_their_turn(hasty):
    queued = []
    for key in ("bars", "news"):
        hasty.workflow(key, ONE, concurrency="sequential")
        hasty.start(key)
        queued.append(hasty.start(key))
    hasty.ends(hasty.claim())
    with locked(hasty, queued[0]):
        hasty.turns.tick()
        assert [hasty.state(number) for number in queued] == ["READY", "RUNNING"]
    hasty.turns.tick()
    assert hasty.state(queued[0]) == "RUNNING"


def test_other_instances_are_compensated(hasty):
    work = Job(name="work", module="", file="work.py", hash="h", compensation="undo")
    hasty.jobs.own = {"work": work, "undo": Job(name="undo", module="", file="work.py", hash="h")}
    hasty.workflow("loads", {"a": [], "b": ["a"]}, saga=True)
    numbers = [hasty.start("loads"), hasty.start("loads")]
    hasty.run({"b": FAILED})

    def intents() -> list[Intent]:
        return [Intent(hasty.column("workflow_instance", "intent", number)) for number in numbers]

    assert intents() == [Intent.COMPENSATE] * 2
    with locked(hasty, numbers[0]):
        hasty.compensate.tick()
        assert intents() == [Intent.COMPENSATE, Intent.NONE]
    hasty.compensate.tick()
    assert intents() == [Intent.NONE] * 2


def test_a_deadline_keeps_no_other_timer_waiting(hasty):
    hasty.workflow("short", ONE, timeout="5s")
    first, second = hasty.start("short"), hasty.start("short")
    row = hasty.claim()[1]
    hasty.finish(batch=Batch(rearmed=[hasty.rearmed(row, 4)]))
    hasty.clock.advance(10)
    events: list[object] = []
    hasty.store.instruments.listen(events.append)

    def promoted() -> list[int]:
        return [event.timers for event in events if isinstance(event, TimersPromoted)]

    with locked(hasty, first):
        hasty.promote.tick()
        assert promoted() == [2], "a deadline that was put back is not counted"
        hasty.clock.advance(1)
        hasty.published.clear()
        assert hasty.promote.tick() > 0, "it would look again and again"
        assert (promoted(), hasty.published) == ([2], [])
        assert hasty.states(second) == {"a": "READY"}
        assert hasty.column("workflow_instance", "intent", second) == Intent.TERMINATE
    hasty.clock.advance(1)
    hasty.promote.tick()
    assert promoted() == [2, 1]
    assert hasty.column("workflow_instance", "intent", first) == Intent.TERMINATE
    assert hasty.sql("SELECT COUNT(*) FROM qflow.timer") == [(0,)]
