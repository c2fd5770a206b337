"""`make demo`, run as it stands, on a few bars: it ends by naming the dashboard."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.examples.test_us_daily import SYMBOLS

SESSIONS = [date(2008, 1, 1) + timedelta(days=number) for number in range(90)]


def bars_of_the_crisis(file: Path) -> None:
    lines = ["Ticker,Date,Open,High,Low,Close,Volume,Adj Close"]
    for seed, symbol in enumerate(SYMBOLS):
        for number, day in enumerate(SESSIONS):
            close = 100 + (number * (7 + seed)) % 97
            lines.append(f"{symbol},{day},{close},{close + 1},{close - 1},{close},1000,{close}")
    file.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.slow
def test_it_runs_to_its_reports_and_names_the_dashboard(tmp_path: Path) -> None:
    bars_of_the_crisis(tmp_path / "stocks.csv.gz")
    script = ROOT / "examples" / "us_daily" / "demo.py"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(re.findall(r"file://\S+\.html", ran.stdout)) == 2
    end = ran.stdout.partition("The dashboard, at http://127.0.0.1:8080/")[2]
    assert re.search(r"cd /\S+ && /\S+/qflowd api\)", end), ran.stdout
    assert "make demo-ui" in end
