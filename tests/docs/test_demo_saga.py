"""`make demo-saga`, run as it stands, on a few bars."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.examples.test_us_daily import few_bars


@pytest.mark.slow
def test_a_saga_whose_last_load_failed_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    few_bars(tmp_path / "stocks.csv.gz")
    script = ROOT / "examples" / "us_daily" / "all_or_nothing.py"
    ran = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.findall(r"instance \d: (\w+), saga_state (\w+)", ran.stdout) == [
        ("SUCCESS", "NONE"),
        ("FAILED", "COMPENSATED"),
        ("SUCCESS", "NONE"),
    ]
    before, undone, after = re.findall(r"(\d+) rows, sha256 (\w+)", ran.stdout)
    assert before == undone != after
    assert re.findall(r"(\w+) +restore_bars +SUCCESS", ran.stdout) == ["msft", "ibm", "aapl"]
