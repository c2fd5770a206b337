"""`make demo-map`, run as it stands, on a few bars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.examples.test_us_daily import few_bars


@pytest.mark.slow
def test_one_failing_symbol_is_retried_alone(tmp_path: Path) -> None:
    few_bars(tmp_path / "stocks.csv.gz")
    script = ROOT / "examples" / "us_daily" / "every_symbol.py"
    ran = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ran again: bars[GOOG], ranges[GOOG]" in ran.stdout
    assert ran.stdout.count("no bars of GOOG today") == 1
    assert ran.stdout.count("UPSTREAM_FAILED") == 1
