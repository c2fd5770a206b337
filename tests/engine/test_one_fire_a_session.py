"""A schedule by session fires once for a session, whatever moves its time and whoever was faster; one that failed may follow."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime

import pytest

from qflowd.store.tx import Tx
from tests.support.clock import BEIJING
from tests.support.desk import Desk
from tests.support.lab import FAILED, Lab

ONE = {"a": []}
AFTER_CLOSE = {"after_close": {"at": "close+30m", "calendar": "XSHG"}}
FRIDAY = "2026-11-20"


@pytest.fixture
def desk(lab):
    desk = Desk(lab)
    desk.lab = lab
    at(desk, 12)
    lab.workflow("bars", ONE, schedules=AFTER_CLOSE)
    return desk


def at(desk, hour, minute=0, day=20):
    """It is this time in Shanghai; what is due fires."""
    desk.tick(datetime(2026, 11, day, hour, minute, tzinfo=BEIJING))
    while not desk.lab.admit.tick():
        pass


def done(desk, action, reason=None, **args):
    state, result = desk.lab.command(action, workflow="bars", args=json.dumps(args), reason=reason)
    assert state == "DONE", result


def fired(desk):
    """What has become of each fire: the day it is for, and its state."""
    found = desk.store.read(lambda tx: tx.run("list_fires", tenant="default", workflow="bars", batch=500))
    return [(str(row.business_date)[:10], row.state) for row in found[::-1]]


def set_later(desk):
    done(desk, "set_schedule", at="close+60m", reason="the vendor is late")


def move_close(desk):
    day = {"calendar": "XSHG", "day": FRIDAY, "kind": "half", "hours": "09:30-11:30 13:00-15:30"}
    assert desk.lab.command("override_day", args=json.dumps(day), reason="outage")[0] == "DONE"


def edit_file(desk):
    desk.lab.workflow("bars", ONE, schedules={"after_close": {"at": "close+1h", "calendar": "XSHG"}})


@pytest.mark.parametrize("move", [set_later, move_close, edit_file])
@pytest.mark.parametrize(("ends", "again"), [({}, []), ({"a": FAILED}, [(FRIDAY, "SUCCESS")])])
def test_a_session_that_was_fired_is_left_out_when_its_time_moves_unless_that_run_failed(desk, move, ends, again):
    at(desk, 15, 30)
    desk.lab.run(ends)
    at(desk, 15, 40)
    move(desk)
    at(desk, 16)
    desk.lab.run()
    was = "FAILED" if ends else "SUCCESS"
    assert fired(desk) == [(FRIDAY, was), *again]
    at(desk, 15, 30, day=23)
    at(desk, 16, day=23)
    assert fired(desk)[len(again) + 1 :] == [("2026-11-23", "RUNNING")]


def test_one_that_runs_is_left_out_and_one_that_was_not_let_in_is_not(desk):
    at(desk, 15, 30)
    set_later(desk)
    at(desk, 16)
    assert fired(desk) == [(FRIDAY, "RUNNING")]
    desk.lab.run()
    desk.lab.workflow("bars", ONE, schedules=AFTER_CLOSE, concurrency="singleton(skip)")
    desk.lab.start("bars", business_date="2026-11-19")
    at(desk, 16, day=23)
    done(desk, "set_schedule", at="close+90m")
    desk.lab.run()
    at(desk, 16, 30, day=23)
    assert fired(desk)[1:] == [("2026-11-23", "REJECTED"), ("2026-11-23", "RUNNING")]


@pytest.mark.parametrize("is_admitted", [False, True])
def test_a_session_that_was_fired_by_hand_is_left_out(desk, is_admitted):
    done(desk, "fire")
    if is_admitted:
        at(desk, 13)
    desk.tick(datetime(2026, 11, 20, 15, 30, tzinfo=BEIJING))
    assert [day for day, _ in fired(desk)] == [FRIDAY]
    done(desk, "fire", business_date="2026-11-24")
    desk.lab.admit.tick()
    desk.lab.run()
    for day in (23, 24, 25):
        at(desk, 15, 30, day)
    assert [day for day, _ in fired(desk)] == [FRIDAY, "2026-11-24", "2026-11-23", "2026-11-25"]


def test_another_schedule_of_the_workflow_fires_for_its_own(desk):
    both = AFTER_CLOSE | {"later": {"at": "close+60m", "calendar": "XSHG"}}
    desk.lab.workflow("bars", ONE, schedules=both)
    at(desk, 15, 30)
    at(desk, 16)
    assert [day for day, _ in fired(desk)] == [FRIDAY] * 2


def test_a_session_that_was_fired_is_not_missed(desk):
    at(desk, 15, 30)
    set_later(desk)
    at(desk, 16, day=23)
    assert [(day, state == "MISSED") for day, state in fired(desk)] == [(FRIDAY, False), ("2026-11-23", False)]


def test_whoever_fires_by_hand_is_waited_for_by_the_clock(desk, monkeypatch):
    """The command has found its schedule when the clock comes to it: whoever has the row first, the other sees what it did."""
    if desk.store.dialect.name == "sqlite":
        pytest.skip("one transaction at a time")
    at_close, asked, run = datetime(2026, 11, 20, 15, 30, tzinfo=BEIJING), [], Tx.run
    with closing(Lab(desk.url, owner=8)) as other:
        clock = Desk(other)
        clock.tick(datetime(2026, 11, 20, 15, tzinfo=BEIJING))

        def meanwhile(tx, statement, **params):
            if statement == "insert_fires" and not asked:
                asked.append(statement)
                clock.tick(at_close)
            return run(tx, statement, **params)

        monkeypatch.setattr(Tx, "run", meanwhile)
        desk.clock.time = at_close
        done(desk, "fire")
    assert asked
    at(desk, 15, 31)
    assert [day for day, _ in fired(desk)] == [FRIDAY]
