"""Daemons look for files in listed folders alone, and none of these holds up another."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from qflowd.engine.waits import file_waits, folders, open_looks
from qflowd.engine.waits.open_looks import LOOK_S
from tests.support.daemon import until
from tests.support.delivered import begin, deliver, settle, watcher
from tests.support.lab import Lab
from tests.support.signals_sent import drive, wait_reason


def test_nothing_is_looked_at_that_is_not_listed(lab: Lab, box: Path) -> None:
    number = begin(lab, box, stable="1s")
    deliver(box, "positions_20261120_1.csv")
    listed = box.parent / "listed"
    listed.mkdir()
    closed, other, open_ = watcher(lab, []), watcher(lab, [listed], name="a2"), watcher(lab, [box.parent], name="a3")
    settle(lab, closed)
    said = f"; daemon a1: folder {box} is not in [waits] folders of its qflowd.toml"
    assert wait_reason(lab, number, "come").endswith(said)
    settle(lab, other)
    assert (lab.state(number), wait_reason(lab, number, "come")[-len(said) :]) == ("RUNNING", said)
    settle(lab, open_)
    assert lab.state(number) == "SUCCESS"


def test_links_lead_to_nothing_that_is_not_listed(lab: Lab, box: Path) -> None:
    secret = box.parent / "secret"
    secret.mkdir()
    deliver(secret, "positions_20261120_1.csv")
    (box / "positions_20261120_1.csv").symlink_to(secret / "positions_20261120_1.csv")
    (box / "deep").symlink_to(secret)
    by_file, files = begin(lab, box, stable="1s"), watcher(lab, [box])
    lab.define("deep", {"come": {"wait_for": {"file": f"{box}/deep/*", "stable": "1s"}}})
    by_folder = lab.start("deep")
    drive(lab)
    settle(lab, files)
    assert wait_reason(lab, by_file, "come").endswith("; daemon a1: no file matches")
    leads = f"; daemon a1: folder {box}/deep leads to where [waits] folders of its qflowd.toml does not"
    assert wait_reason(lab, by_folder, "come").endswith(leads)
    settle(lab, watcher(lab, [box, secret]))
    assert [lab.state(number) for number in (by_file, by_folder)] == ["SUCCESS", "SUCCESS"]


def test_a_folder_that_is_not_there_yet_is_waited_for(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box / "late", stable="1s"), watcher(lab, [box])
    files.tick()
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: folder {box}/late does not exist")
    (box / "late").write_text("")
    files.tick()
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: folder {box}/late cannot be read: Not a directory")
    (box / "late").unlink()
    (box / "late").mkdir()
    deliver(box / "late", "positions_20261120_1.csv")
    settle(lab, files)
    assert lab.state(number) == "SUCCESS"


def test_a_folder_that_has_no_name_in_the_file_system_is_a_fault_of_the_look(box: Path) -> None:
    listing = folders.look(f"{box}/\ud800", ["*"], [box], time.monotonic)
    assert listing.fault.startswith(f"folder {box}/\ud800 cannot be read: ")
    assert "surrogates not allowed" in listing.fault


def test_a_folder_that_hangs_holds_up_no_other(lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_waits, "HANGS_S", 0.0)
    answers, network = threading.Event(), box.parent / "network"
    network.mkdir()
    real = os.path.realpath

    def hang(path: str | Path) -> str:
        if str(path) == str(network):
            answers.wait()
        return real(path)

    monkeypatch.setattr(folders.os.path, "realpath", hang)
    for name, folder in (("hung", network), ("quick", box)):
        deliver(folder, "bars.csv")
        lab.define(name, {"come": {"wait_for": {"file": f"{folder}/bars.csv", "stable": "1s"}}})
    hung, quick = lab.start("hung"), lab.start("quick")
    drive(lab)
    files = watcher(lab, [network, box], patience_s=0.05)

    def has_ended(number: int) -> bool:
        settle(lab, files)
        return lab.state(number) == "SUCCESS"

    try:
        until(lambda: has_ended(quick), 60)
        assert lab.state(hung) == "RUNNING"
        assert wait_reason(lab, hung, "come").endswith(f"; daemon a1: folder {network} does not answer")
        assert sum(each.name == f"qflowd-look-{network}" for each in threading.enumerate()) == 1
    finally:
        answers.set()
    until(lambda: has_ended(hung), 60)


def test_a_folder_is_not_read_past_its_bound(lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_ENTRIES", 2)
    number, files = begin(lab, box, stable="1s"), watcher(lab, [box])
    for name in ("positions_20261120_1.csv", "a", "b"):
        deliver(box, name)
    files.tick()
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: folder {box} holds more than 2 entries")


def test_a_daemon_that_cannot_look_has_no_say_once_another_one_has_looked(lab: Lab, box: Path) -> None:
    number, other = begin(lab, box), Lab(lab.url, owner=8)
    lab.just_before("note_looks", watcher(other, [box], name="a2").tick)
    watcher(lab, []).tick()
    assert wait_reason(lab, number, "come").endswith("; daemon a2: no file matches")
    other.close()


def test_a_late_answer_is_of_what_was_asked(lab: Lab, box: Path) -> None:
    first, files = begin(lab, box, stable="1s"), watcher(lab, [box], patience_s=0)
    deliver(box, "positions_20261120_1.csv")
    deliver(box, "bars.csv")
    files.tick()
    lab.define("bars", {"come": {"wait_for": {"file": f"{box}/bars.csv", "stable": "1s"}}})
    second = lab.start("bars")
    drive(lab)

    def are_met() -> bool:
        lab.clock.advance(1)
        files.tick()
        drive(lab)
        said = [reason for number in (first, second) if (reason := wait_reason(lab, number, "come") or "")]
        assert not any(reason.endswith("no file matches") for reason in said)
        return (lab.state(first), lab.state(second)) == ("SUCCESS", "SUCCESS")

    until(are_met, 60)


def test_more_tasks_may_wait_for_files_of_a_folder_than_are_listed_at_once(
    lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(folders.os, "scandir", lambda path: looks.append(path) or scan(path))
    monkeypatch.setattr(open_looks, "BATCH", 2)
    waits = {f"t{i}": {"wait_for": {"file": f"{box}/bars_{i}.c*", "stable": "30s"}} for i in range(5)}
    lab.define("many", waits)
    number, files = lab.start("many"), watcher(lab, [box])
    drive(lab)
    for i in range(5):
        deliver(box, f"bars_{i}.csv")
    assert [files.tick() for _ in range(3)] == [0, 0, LOOK_S]
    assert looks == [str(box)]
    lab.clock.advance(29)
    for _ in range(3):
        files.tick()
    assert lab.state(number) == "RUNNING"
    lab.clock.advance(1)
    for _ in range(4):
        files.tick()
    drive(lab)
    assert lab.state(number) == "SUCCESS"
