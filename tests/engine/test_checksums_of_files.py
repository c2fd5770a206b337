"""A task that waits for files with checksums begins when each is what its own says."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from qflowd.engine.waits import comparing
from tests.support.daemon import until
from tests.support.delivered import AT, begin, deliver, settle, watcher
from tests.support.lab import Lab
from tests.support.signals_sent import DAY, drive, error, wait_reason

BARS = "positions_20261120_1.csv"


def digest(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode()).hexdigest()


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_file_that_has_its_digest_ends_the_wait(lab: Lab, box: Path, algorithm: str) -> None:
    number, files = begin(lab, box, checksum=f".{algorithm}"), watcher(lab, [box])
    deliver(box, BARS, "whole")
    settle(lab, files)
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: {BARS}.{algorithm} is missing")
    deliver(box, f"{BARS}.{algorithm}", f"{digest('whole', algorithm)}  {BARS}\n")
    settle(lab, files)
    [(state, output)] = lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}")
    assert state == "SUCCESS"
    assert f".{algorithm}" not in output
    lab.check(drained=True)


def test_a_file_that_differs_is_waited_for_until_it_or_its_checksum_is_another(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, checksum=".sha256", at_least=2), watcher(lab, [box])
    two = "positions_20261120_2.csv"
    deliver(box, BARS, "one"), deliver(box, f"{BARS}.sha256", digest("one"))
    deliver(box, two, "tw"), deliver(box, f"{two}.sha256", "")
    settle(lab, files), settle(lab, files)
    assert wait_reason(lab, number, "come").endswith(
        f"; daemon a1: {two}.sha256 does not hold the sha256 of {two}, by itself or before its name"
    )
    deliver(box, f"{two}.sha256", digest("two"), AT + 1)
    settle(lab, files), settle(lab, files)
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: {two} is not what {two}.sha256 says")
    deliver(box, two, "two", AT + 1)
    settle(lab, files), settle(lab, files)
    assert lab.state(number) == "SUCCESS"


def test_a_file_that_changes_while_it_is_compared_is_compared_anew(
    lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, files = begin(lab, box, stable="1s", checksum=".sha256"), watcher(lab, [box])
    deliver(box, BARS, "old"), deliver(box, f"{BARS}.sha256", digest("old"))
    real = hashlib.file_digest

    def written_meanwhile(file, algorithm):
        found = real(file, algorithm)
        deliver(box, BARS, "new", AT + 1)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", written_meanwhile)
        settle(lab, files, 1)
    assert lab.state(number) == "RUNNING"
    settle(lab, files, 1), settle(lab, files, 1)
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: {BARS} is not what {BARS}.sha256 says")


def test_a_file_that_cannot_be_read_is_told_and_read_when_it_can(
    lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, files = begin(lab, box, stable="1s", checksum=".sha256"), watcher(lab, [box])
    deliver(box, BARS, "one"), deliver(box, f"{BARS}.sha256", f"\ufeff{digest('one')}")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # root may read whatever there is

    with monkeypatch.context() as patched:
        patched.setattr("qflowd.engine.waits.checksums.os.open", refuse)
        settle(lab, files, 1), settle(lab, files, 1)
    said = f"; daemon a1: {BARS} cannot be compared with its checksum: Permission denied"
    assert wait_reason(lab, number, "come").endswith(said)
    settle(lab, files, 1), settle(lab, files, 1)
    assert lab.state(number) == "SUCCESS"


def test_a_large_file_holds_up_no_other(lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large, is_read = "positions_20261120_0.csv", threading.Event()
    lab.define("large", {"come": {"wait_for": {"file": f"{box}/{large}", "stable": "1s", "checksum": ".md5"}}})
    lab.define("small", {"come": {"wait_for": {"file": f"{box}/{BARS}", "stable": "1s", "checksum": ".md5"}}})
    late, quick = lab.start("large"), lab.start("small")
    drive(lab)
    for name in (large, BARS):
        deliver(box, name), deliver(box, f"{name}.md5", digest("x", "md5"))
    real = hashlib.file_digest

    def read(file, algorithm):
        if os.path.samestat(os.fstat(file.fileno()), (box / large).stat()):
            is_read.wait()
        return real(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", read)
    files = watcher(lab, [box], patience_s=0.05)

    def has_ended(number: int) -> bool:
        settle(lab, files)
        return lab.state(number) == "SUCCESS"

    try:
        until(lambda: has_ended(quick), 60)
        assert wait_reason(lab, late, "come").endswith(f"; daemon a1: {large} is being compared with its md5")
    finally:
        is_read.set()
    until(lambda: has_ended(late), 60)


def test_a_comparison_that_nobody_waits_for_any_more_is_left_before_the_next_part(
    lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, files = begin(lab, box, stable="1s", timeout="1h", checksum=".md5"), watcher(lab, [box], patience_s=0.05)
    deliver(box, BARS), deliver(box, f"{BARS}.md5", digest("x", "md5"))
    may_continue, ends, real = threading.Event(), list[str](), hashlib.file_digest

    def read(file, algorithm):
        may_continue.wait()
        try:
            return real(file, algorithm)
        except ValueError as error:
            ends.append(str(error))
            raise

    def has_begun() -> bool:
        settle(lab, files)
        return wait_reason(lab, number, "come").endswith("is being compared with its md5")

    monkeypatch.setattr(hashlib, "file_digest", read)
    try:
        until(has_begun, 60)
        settle(lab, files)
        [reading] = [each for each in threading.enumerate() if each.name == f"qflowd-compare-{BARS}"]
        lab.clock.advance(3600)
        drive(lab)
        assert lab.state(number) == "FAILED"
        settle(lab, files)
    finally:
        may_continue.set()
    reading.join(60)
    assert ends == [f"{BARS} is not wanted any more"]


def test_what_is_compared_is_not_left_because_another_file_comes(
    lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, files = begin(lab, box, stable="1h", checksum=".md5"), watcher(lab, [box], patience_s=0.05)
    deliver(box, BARS), deliver(box, f"{BARS}.md5", digest("x", "md5"))
    later = "positions_20261120_2.csv"
    may_continue, reads, real = threading.Event(), list[str](), hashlib.file_digest

    def read(file, algorithm):
        reads.append(file.name)
        may_continue.wait()
        return real(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", read)

    def look() -> bool:
        settle(lab, files, 3600)
        return bool(reads)

    def is_another_seen() -> bool:
        settle(lab, files)
        return wait_reason(lab, number, "come").endswith(f"{later} has not stood still for 3600 s")

    try:
        until(look, 60)
        deliver(box, later), deliver(box, f"{later}.md5", digest("x", "md5"))
        until(is_another_seen, 60)
    finally:
        may_continue.set()
    until(lambda: look() and lab.state(number) == "SUCCESS", 60)
    assert sorted(reads) == [BARS, later]


def test_files_that_hang_take_the_place_of_no_others(lab: Lab, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "HANGS_S", 0.0)
    hung = [f"positions_20261120_{i}.csv" for i in range(comparing.MOST)]
    lab.define("all", {"come": {"wait_for": {"file": f"{box}/positions_*_?.csv", "stable": "1s", "checksum": ".md5"}}})
    lab.define("quick", {"come": {"wait_for": {"file": f"{box}/quick.csv", "stable": "1s", "checksum": ".md5"}}})
    late, quick = lab.start("all"), lab.start("quick")
    drive(lab)
    for name in hung:
        deliver(box, name), deliver(box, f"{name}.md5", digest("x", "md5"))
    is_read, real = threading.Event(), hashlib.file_digest

    def read(file, algorithm):
        if "positions" in file.name:
            is_read.wait()
        return real(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", read)
    files = watcher(lab, [box], patience_s=0.05)

    def are_read() -> bool:
        settle(lab, files)
        return sum(each.name.startswith("qflowd-compare-positions") for each in threading.enumerate()) == len(hung)

    def has_ended(number: int) -> bool:
        settle(lab, files)
        return lab.state(number) == "SUCCESS"

    try:
        until(are_read, 60)
        deliver(box, "quick.csv"), deliver(box, "quick.csv.md5", digest("x", "md5"))
        until(lambda: has_ended(quick), 60)
        assert lab.state(late) == "RUNNING"
    finally:
        is_read.set()
    until(lambda: has_ended(late), 60)


def test_a_checksum_that_leads_out_of_the_listed_folders_is_not_read(lab: Lab, box: Path) -> None:
    number, files = begin(lab, box, stable="1s", checksum=".sha256"), watcher(lab, [box])
    deliver(box, BARS, "one"), deliver(box.parent, "secret", digest("one"))
    (box / f"{BARS}.sha256").symlink_to(box.parent / "secret")
    settle(lab, files, 1)
    assert wait_reason(lab, number, "come").endswith(f"; daemon a1: {BARS}.sha256 is not a file that can be read here")


def test_a_suffix_of_no_algorithm_is_refused_when_it_is_rendered(lab: Lab, box: Path) -> None:
    lab.define(
        "w",
        {"come": {"wait_for": {"file": f"{box}/a", "checksum": "{{ params.kind }}"}}},
        params={"kind": {"default": ".crc"}},
    )
    number = lab.start("w", business_date=DAY)
    drive(lab)
    assert error(lab, number, "come") == "wait_for.checksum: must be one of .md5, .sha1, .sha256, .sha512, not '.crc'"
