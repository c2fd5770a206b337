"""The unit that ships: known directives, low exposure, and values that fit the daemon."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

UNIT = ROOT / "systemd" / "qflowd.service"
HIGHEST_EXPOSURE = 1.5
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)


def analyze(*args: str | Path) -> str:
    assert ANALYZE is not None
    ran = subprocess.run([ANALYZE, *args], capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout + ran.stderr


@needs_systemd
def test_the_exposure_of_the_unit_is_low() -> None:
    told = analyze("security", "--offline=true", "--no-pager", UNIT)
    if "unrecognized option" in told or "Unknown" in told:
        pytest.skip("this systemd cannot judge a unit file")
    level = re.search(r"exposure level for qflowd\.service: ([\d.]+)", told)
    assert level, told
    assert float(level[1]) <= HIGHEST_EXPOSURE


@needs_systemd
def test_systemd_knows_every_directive(tmp_path: Path) -> None:
    copy = tmp_path / "qflowd.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE))
    told = [line for line in analyze("verify", copy).splitlines() if "qflowd.service" in line]
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
