"""Events of the services, on a set clock: what was taken back, promoted, swept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qflowd.engine.membership.identity import Identity
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.recovery import Recovery
from qflowd.model.instruments import (
    DaemonReaped,
    InstancesTerminated,
    SubmissionsAdmitted,
    TasksWritten,
    TimersPromoted,
)
from tests.support.lab import SKIPPED


@pytest.fixture
def heard(lab):
    events: list[object] = []
    lab.store.instruments.listen(events.append)
    return lambda *kinds: [event for event in events if type(event) in kinds]


def test_what_a_dead_daemon_held_is_counted_once(lab, heard, tmp_path):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    assert len(lab.claim()) == 2
    identity = Identity(lab.store, None, tmp_path, 30.0)
    lease = Lease(30.0, lambda until: None)
    recover = Recovery(lab.store, lab.instances, identity, lab.topics, lease)
    lab.clock.advance(1)
    recover.take_back(lab.owner, "a test killed it")
    assert heard(DaemonReaped) == [DaemonReaped(lab.owner, 2, "a test killed it")]
    assert [event.released for event in heard(TasksWritten)] == [2]
    lab.run()
    assert lab.state(number) == "SUCCESS"
    assert sum(event.ended["SUCCESS"] for event in heard(TasksWritten)) == 2
    assert sum(event.instances for event in heard(TasksWritten)) == 1


def test_timers_and_terminated_instances_are_counted(lab, heard):
    later = lab.clock.now() + timedelta(hours=1)
    lab.start(job="work", run_at=later)
    terminated = lab.start(job="work")
    assert heard(SubmissionsAdmitted) == [SubmissionsAdmitted(instances=1, tasks=1)] * 2
    lab.promote.tick()
    assert heard(TimersPromoted) == []
    lab.clock.advance(3600)
    lab.promote.tick()
    assert heard(TimersPromoted) == [TimersPromoted(1)]
    assert lab.command("terminate", terminated)[0] == "DONE"
    lab.sweep.tick()
    assert heard(InstancesTerminated) == [InstancesTerminated(1)]


def test_rows_that_end_unrun_are_counted_with_those_that_ran(lab, heard):
    lab.workflow("chain", {"a": [], "b": ["a"], "c": ["b"]})
    lab.start("chain")
    lab.run({"a": SKIPPED})
    [written] = heard(TasksWritten)
    assert written.ended == {"SKIPPED": 3}
    assert written.instances == 1
