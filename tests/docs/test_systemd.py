"""The units that ship: known directives, low exposure, and values that fit what they start."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

DAEMON = ROOT / "systemd" / "qflowd.service"
API = ROOT / "systemd" / "qflowd-api.service"
HIGHEST_EXPOSURE = 1.5
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
each_unit = pytest.mark.parametrize("unit", [DAEMON, API], ids=lambda unit: unit.stem)


def values(key: str, unit: Path = DAEMON) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


def analyze(*args: str | Path) -> str:
    assert ANALYZE is not None
    ran = subprocess.run([ANALYZE, *args], capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout + ran.stderr


@needs_systemd
@each_unit
def test_the_exposure_of_the_unit_is_low(unit: Path) -> None:
    told = analyze("security", "--offline=true", "--no-pager", unit)
    if "unrecognized option" in told or "Unknown" in told:
        pytest.skip("this systemd cannot judge a unit file")
    level = re.search(rf"exposure level for {re.escape(unit.name)}: ([\d.]+)", told)
    assert level, told
    assert float(level[1]) <= HIGHEST_EXPOSURE


@needs_systemd
@each_unit
def test_systemd_knows_every_directive(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE))
    told = [line for line in analyze("verify", copy).splitlines() if unit.name in line]
    assert told == []


def test_it_starts_what_exists_and_tells_systemd_itself() -> None:
    assert values("Type") == ["notify"]
    assert values("ExecStart") == ["/opt/qflowd/bin/qflowd run"]
    assert values("KillMode") == ["mixed"]  # TERM to the daemon alone: it drains its workers
    assert values("Restart") == ["on-failure"]
    assert values("UMask") == ["0077"]


def test_it_is_killed_only_after_it_had_time_to_drain() -> None:
    grace_s = 10.0
    assert float(values("TimeoutStopSec")[0]) > 2 * grace_s
    # The daemon feeds three times in this time, after each beat of a sixth of a lease of 30 s.
    assert float(values("WatchdogSec")[0]) >= 30.0


def test_what_memory_limits_and_compiling_libraries_need_is_left_open() -> None:
    assert values("MemoryDenyWriteExecute") == values("ProcSubset") == []
    assert all("@resources" not in text for text in values("SystemCallFilter"))


def test_the_server_is_as_guarded_as_the_daemon_and_shares_no_folder_that_a_stop_removes() -> None:
    def guards(unit: Path) -> list[str]:
        return unit.read_text("utf-8").partition("NoNewPrivileges")[2].partition("[Install]")[0].splitlines()

    assert guards(API) == guards(DAEMON)
    assert values("ExecStart", API) == ["/opt/qflowd/bin/qflowd api"]
    assert values("User", API) == values("User")
    assert values("StateDirectory", API) == values("StateDirectory"), "a SQLite file is the daemon's, too"
    assert not set(values("RuntimeDirectory", API)) & set(values("RuntimeDirectory"))
    assert float(values("TimeoutStopSec", API)[0]) > 5.0  # what it has begun is answered within three seconds
