"""Recover: what a dead daemon held comes back; how often that may happen to a task before it is taken for the cause."""

import pytest

from qflowd.engine.finishing.outcome import POISON_AFTER_LOSSES
from qflowd.engine.membership.identity import Identity
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.recovery import Recovery
from tests.support.failures import failures
from tests.support.lab import FAILED

ATTEMPTS = "SELECT a.state, a.reason, a.error FROM qflow.attempts a WHERE a.task_id = {} ORDER BY a.fence"


@pytest.fixture
def die(lab, tmp_path):
    """The daemon that claims in the lab dies, and another takes back what it held."""
    identity = Identity(lab.store, None, tmp_path, 30.0)
    recover = Recovery(lab.store, lab.instances, identity, lab.topics, Lease(30.0, lambda until: None))

    def take_back() -> int:
        lab.clock.advance(1)
        return recover.take_back(lab.owner, "a test killed it")

    return take_back


def test_what_had_not_begun_comes_back_free_of_charge_and_runs_alone(lab, die):
    lab.start(job="work")
    [(lane,)] = lab.sql("SELECT lane FROM qflow.task_instance")
    lab.lane(lane).learn(0.1, 100)  # its tasks are short: they are not said to run before they do
    [row] = lab.claim()
    assert die() == 1
    [again] = lab.claim()
    assert (again.id, again.attempt, again.crashes, again.solo) == (row.id, 0, 0, 1)
    assert lab.sql(ATTEMPTS.format(row.id)) == []


def test_the_death_of_a_daemon_is_lost_work_and_no_crash_of_the_task(lab, die):
    lab.start(job="work")
    for _ in range(POISON_AFTER_LOSSES - 1):
        [row] = lab.claim()
        assert die() == 1
    [again] = lab.claim()
    assert (again.attempt, again.crashes, again.solo) == (0, 0, 1)
    lost = ("FAILED", "lost", "the daemon that ran it was lost")
    assert lab.sql(ATTEMPTS.format(row.id)) == [lost] * (POISON_AFTER_LOSSES - 1)
    lab.ends([again])
    lab.check(drained=True)


def test_a_task_that_ran_at_every_death_of_a_daemon_is_poison_in_the_end(lab, die):
    number = lab.start(job="work")
    for _ in range(POISON_AFTER_LOSSES):
        [row] = lab.claim()
        assert die() == 1
    assert lab.claim() == []
    assert lab.state(number) == "FAILED"
    state, reason, error = lab.sql(ATTEMPTS.format(row.id))[-1]
    assert (state, reason) == ("FAILED", "poison")
    assert f"lost {POISON_AFTER_LOSSES} times" in error
    lab.check(drained=True)


def test_with_manual_retries_it_waits_for_a_person_then(lab, die):
    lab.workflow("flow", {"a": []}, {"a": {"retry": "manual"}})
    number = lab.start("flow")
    for _ in range(POISON_AFTER_LOSSES):
        lab.claim()
        assert die() == 1
    assert (lab.state(number), lab.states(number)) == ("RUNNING", {"a": "PENDING"})
    assert [(row.task, row.error_class) for row in failures(lab)] == [("a", "poison")]
    lab.check()
    assert lab.command("retry", number)[0] == "DONE"
    lab.run()
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_retried_task_has_a_new_budget_of_deaths(lab, die):
    number = lab.start(job="work")
    for _ in range(POISON_AFTER_LOSSES - 1):
        lab.claim()
        die()
    lab.ends(lab.claim(), FAILED)
    lab.clock.advance(1)
    lab.command("retry", number)
    lab.claim()
    die()
    [again] = lab.claim()
    lab.ends([again])
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)
