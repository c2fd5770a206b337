"""A task that waits for files holds no slot until they are there and stand still."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qflowd.engine.waits.open_looks import IDLE_S, LOOK_S
from tests.support.clock import SetClock
from tests.support.delivered import AT, begin, deliver, settle, watcher
from tests.support.lab import Lab
from tests.support.signals_sent import drive, error, wait_reason

MODIFIED = "2026-11-18T11:06:40Z"


def test_a_wait_ends_with_the_files_when_they_have_stood_still(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, stable="30s", at_least=2, timeout="2h"), watcher(lab, [box])
    waits = f"waits for file {box}/positions_20261120_*.csv since 2026-11-20T09:30:00Z"
    until = f"{waits}, at most until 2026-11-20T11:30:00Z"
    assert wait_reason(lab, number, "come") == until
    until += "; daemon a1: "
    deliver(box, "positions_20261119_1.csv")
    assert files.tick() >= LOOK_S
    assert wait_reason(lab, number, "come") == f"{until}no file matches"
    deliver(box, "positions_20261120_1.csv")
    settle(lab, files, 30)
    assert wait_reason(lab, number, "come") == f"{until}1 of 2 files are there"
    deliver(box, "positions_20261120_2.csv", "first")
    settle(lab, files, 29)
    deliver(box, "positions_20261120_2.csv", "first, second")
    settle(lab, files, 29)
    assert wait_reason(lab, number, "come") == f"{until}positions_20261120_2.csv has not stood still for 30 s"
    lab.clock.advance(1)
    files.tick()
    drive(lab)
    [(state, output)] = lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}")
    assert (state, json.loads(output)) == (
        "SUCCESS",
        [
            {"path": f"{box}/positions_20261120_1.csv", "size": 1, "modified_at": MODIFIED},
            {"path": f"{box}/positions_20261120_2.csv", "size": 13, "modified_at": MODIFIED},
        ],
    )
    assert files.tick() == IDLE_S
    lab.check(drained=True)


def test_a_file_that_is_written_anew_in_its_size_has_not_stood_still(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box), watcher(lab, [box])
    deliver(box, "positions_20261120_1.csv")
    files.tick()
    deliver(box, "positions_20261120_1.csv", at=AT + 1)
    settle(lab, files, 4)
    assert lab.state(number) == "RUNNING"
    settle(lab, files, 1)
    assert lab.state(number) == "SUCCESS"


def test_a_file_whose_place_another_one_takes_has_not_stood_still(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box), watcher(lab, [box])
    place = box / "positions_20261120_1.csv"
    deliver(box, place.name)
    files.tick()
    changed_ns = place.stat().st_ctime_ns
    while place.stat().st_ctime_ns == changed_ns:  # a host counts such times in some milliseconds
        deliver(box, ".part")
        (box / ".part").replace(place)
    settle(lab, files, 4)
    place.unlink()
    settle(lab, files)
    assert wait_reason(lab, number, "come").endswith("; daemon a1: no file matches")
    deliver(box, place.name)
    settle(lab, files, 4)
    assert lab.state(number) == "RUNNING"
    settle(lab, files, 1)
    assert lab.state(number) == "SUCCESS"


def test_a_clock_that_is_set_lets_no_file_stand_still(lab: Lab, box: Path) -> None:
    number, seconds = begin(lab, box, stable="30s"), SetClock()
    files = watcher(lab, [box], clock=seconds)
    deliver(box, "positions_20261120_1.csv")
    settle(lab, files, 3600)
    assert lab.state(number) == "RUNNING"
    seconds.advance(30)
    settle(lab, files, -7200)
    assert lab.state(number) == "SUCCESS"


def test_beside_each_file_its_companion_must_stand(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, ok=".ok", stable="1s"), watcher(lab, [box])
    for name in ("positions_20261120_1.csv", "positions_20261120_2.csv", "positions_20261120_1.csv.ok"):
        deliver(box, name)
    settle(lab, files)
    assert wait_reason(lab, number, "come").endswith("; daemon a1: positions_20261120_2.csv.ok is missing")
    deliver(box, "positions_20261120_2.csv.ok", "")
    settle(lab, files)
    assert lab.state(number) == "SUCCESS"


def test_a_companion_and_a_hidden_file_are_not_meant_themselves(lab: Lab, box: Path) -> None:
    lab.define("all", {"come": {"wait_for": {"file": f"{box}/*", "ok": ".ok", "stable": "1s"}}})
    number, files = lab.start("all"), watcher(lab, [box])
    drive(lab)
    for name in ("bars.csv", "bars.csv.ok", ".bars.csv.part"):
        deliver(box, name)
    (box / "old").mkdir()
    settle(lab, files)
    [(output,)] = lab.sql(f"SELECT output FROM qflow.tasks WHERE instance_id = {number}")
    assert [each["path"] for each in json.loads(output)] == [f"{box}/bars.csv"]


def test_a_job_may_be_claimed_when_its_files_have_come_and_only_daemons_of_its_pool_look(lab: Lab, box: Path) -> None:
    wait = {"file": f"{box}/bars.csv", "stable": "1s"}
    lab.define("load", {"load": {"job": "work", "pool": "vendor", "wait_for": wait}})
    deliver(box, "bars.csv")
    number = lab.start("load")
    drive(lab)
    settle(lab, watcher(lab, [box]))
    assert lab.states(number) == {"load": "PENDING"}
    settle(lab, watcher(lab, [box], ["default", "vendor"]))
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_two_daemons_that_see_a_file_end_its_wait_once(lab: Lab, box: Path) -> None:
    number = begin(lab, box, stable="1s")
    deliver(box, "positions_20261120_1.csv")
    other = Lab(lab.url, owner=8)
    lab.just_before("meet_seen", lambda: settle(other, watcher(other, [box], name="a2")))
    settle(lab, watcher(lab, [box]))
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)
    other.close()


def test_a_wait_for_a_file_ends_at_its_timeout_and_is_looked_for_no_more(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, timeout="2h"), watcher(lab, [box])
    files.tick()
    lab.clock.advance(7200)
    drive(lab)
    path = f"{box}/positions_20261120_*.csv"
    assert error(lab, number, "come") == f"file {path} had not come by 2026-11-20T11:30:00Z; daemon a1: no file matches"
    files.tick()
    assert lab.sql("SELECT is_open FROM qflow.file_wait") == [(0,)]
    lab.check(drained=True)


def test_a_file_that_is_seen_after_the_deadline_has_not_come_in_time(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, stable="1s", timeout="1m"), watcher(lab, [box])
    deliver(box, "positions_20261120_1.csv")

    def time_passes() -> None:
        lab.clock.advance(60)
        drive(lab)

    lab.just_before("meet_seen", time_passes)
    settle(lab, files)
    [(state, reason, output)] = lab.sql(f"SELECT state, reason, output FROM qflow.tasks WHERE instance_id = {number}")
    assert (state, reason, output) == ("FAILED", "timeout", None)
    files.tick()
    assert lab.sql("SELECT is_open FROM qflow.file_wait") == [(0,)]
    lab.check(drained=True)


def test_after_a_restart_a_file_has_to_stand_still_anew(lab: Lab, box: Path) -> None:
    number, before = begin(lab, box), watcher(lab, [box])
    deliver(box, "positions_20261120_1.csv")
    before.tick()
    lab.clock.advance(4)
    after = watcher(lab, [box])
    settle(lab, after, 4)
    assert lab.state(number) == "RUNNING"
    settle(lab, after, 1)
    assert lab.state(number) == "SUCCESS"


def test_a_rerun_waits_anew(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, stable="1s"), watcher(lab, [box])
    deliver(box, "positions_20261120_1.csv")
    settle(lab, files)
    assert lab.command("rerun", number, task="come")[0] == "DONE"
    drive(lab)
    assert lab.state(number) == "RUNNING"
    settle(lab, files)
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("wait", "fault"),
    [
        ({"file": "{{ 'bars.csv' }}"}, "wait_for.file: 'bars.csv' is relative"),
        ({"file": "/in/{{ '..' }}/bars.csv"}, "wait_for.file: '/in/../bars.csv' holds '..'"),
        ({"file": "/in/x", "ok": "{{ '*' }}"}, "wait_for.ok: '*' is not a suffix"),
        ({"file": "/in/x", "stable": "{{ 'soon' }}"}, "wait_for.stable: 'soon' is not a duration"),
    ],
)
def test_what_cannot_be_waited_for_fails_its_task(lab: Lab, wait: dict[str, str], fault: str) -> None:
    lab.define("odd", {"come": {"wait_for": wait}})
    number = lab.start("odd")
    drive(lab)
    assert (lab.state(number), fault in error(lab, number, "come")) == ("FAILED", True)


def test_a_trigger_says_what_would_end_the_wait(lab: Lab, box: Path) -> None:
    number = begin(lab, box)
    assert "deliver it, or `skip` the task" in str(lab.command("trigger", number, task="come"))
