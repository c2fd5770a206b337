"""A task with `workflow: NAME` and `run_on: terminate`: what it starts runs after a termination, and through one."""

from __future__ import annotations

import pytest

from tests.engine.test_children import children, drive
from tests.support.lab import CANCELLED, Lab


@pytest.fixture(autouse=True)
def workflows(lab: Lab) -> None:
    lab.define("close_books", {"close": {"job": "work"}})
    close = {"workflow": "close_books", "after": "load", "trigger_rule": "always", "run_on": "terminate"}
    lab.define("daily", {"load": {"job": "work"}, "books": close})


def test_it_starts_its_instance_after_a_termination(lab: Lab) -> None:
    parent = lab.start("daily")
    [load] = lab.claim()
    lab.command("terminate", parent)
    lab.sweep_all()
    assert children(lab, parent) == []
    lab.ends([load], CANCELLED)
    drive(lab)
    assert lab.states(parent) == {"load": "CANCELLED", "books": "SUCCESS"}
    assert (lab.state(parent), lab.state(children(lab, parent)[0])) == ("TERMINATED", "SUCCESS")
    lab.check(drained=True)


def running(lab: Lab) -> tuple[int, int]:
    """The number of an instance, and of the one that its last task has started."""
    parent = lab.start("daily")
    lab.ends(lab.claim())
    lab.children.tick()
    lab.admit.tick()
    return parent, children(lab, parent)[0]


@pytest.mark.parametrize("is_paused", [False, True])
def test_what_runs_already_runs_to_its_end(lab: Lab, is_paused: bool) -> None:
    parent, child = running(lab)
    if is_paused:
        lab.command("pause", parent)
        for service in (lab.sweep, lab.children, lab.commands, lab.sweep):
            service.tick()
        assert lab.state(child) == "PAUSED"
    lab.command("terminate", parent)
    drive(lab)
    assert (lab.state(parent), lab.state(child)) == ("TERMINATED", "SUCCESS")
    assert (lab.states(parent), children(lab, parent)) == ({"load": "SUCCESS", "books": "SUCCESS"}, [child])
    lab.check(drained=True)


def terminated_twice(lab: Lab) -> tuple[int, int]:
    """As `running`; the first termination has started it, and the second one has ended both."""
    parent = lab.start("daily")
    lab.command("terminate", parent)
    for service in (lab.sweep, lab.sweep, lab.sweep, lab.children, lab.admit):
        service.tick()
    [child] = children(lab, parent)
    [close] = lab.claim()
    lab.command("terminate", parent)
    for service in (lab.sweep, lab.children, lab.commands, lab.sweep):
        service.tick()
    lab.ends([close], CANCELLED)
    drive(lab)
    return parent, child


def test_a_second_termination_reaches_it(lab: Lab) -> None:
    parent, child = terminated_twice(lab)
    assert (lab.state(parent), lab.state(child)) == ("TERMINATED", "TERMINATED")
    assert lab.states(parent) == {"load": "CANCELLED", "books": "CANCELLED"}
    lab.check(drained=True)


def test_a_second_termination_spares_nothing_that_the_first_one_has_begun_below(lab: Lab) -> None:
    tidy = {"job": "work", "after": "close", "trigger_rule": "always", "run_on": "terminate"}
    lab.define("close_books", {"close": {"job": "work"}, "tidy": tidy})
    parent, child = terminated_twice(lab)
    assert lab.states(child) == {"close": "CANCELLED", "tidy": "CANCELLED"}
    assert (lab.state(parent), lab.state(child)) == ("TERMINATED", "TERMINATED")
    lab.check(drained=True)
