"""Values on their whole way: SDK or SQL, params, output, the next task, client, logs and command line."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

import qflowd
from tests.support.daemon import ROOT, Daemon, until

JOBS = """
import logging
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pydantic
from qflowd import context, job

class Bar(pydantic.BaseModel):
    close: float

@job
def make(symbol: str, day: str, seen: object) -> dict:
    closes = pd.Series([1.5], index=[pd.Timestamp(day)])
    context().save({"at": np.datetime64("2026-01-05T12:00", "ns"), "path": Path("a")})
    context().logger.info("made", extra={"at": pd.Timestamp(day), "count": np.int64(3), "odd": {1}})
    return {
        "seen": seen, "closes": closes, "rows": pl.DataFrame({"a": [7]}), "bar": Bar(close=2), "missing": pd.NaT,
        "n": np.arange(1), "saved": context().saved,
    }

@job
def take(closes: dict[datetime, float], given: object) -> dict:
    return {"last": max(closes), "is_same": given == context().upstream["make"]}
"""
WORKFLOW = """
workflow: values
tasks:
  make: {job: make}
  take: {job: take, after: make, params: {closes: "{{ make.output.closes }}", given: "{{ make.output }}"}}
"""
MADE = {
    "seen": {"2026-01-05": [1, 2.5, "a/b"]},
    "closes": {"2026-01-05T00:00:00": 1.5},
    "rows": [{"a": 7}],
    "bar": {"close": 2.0},
    "missing": None,
    "n": [0],
    "saved": {"at": "2026-01-05T12:00:00", "path": "a"},
}


def test_a_value_is_the_same_at_every_door(database_url, tmp_path):
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows={"values.yaml": WORKFLOW})
    with daemon, qflowd.connect(database_url) as client:
        seen = {date(2026, 1, 5): [np.int64(1), np.float64(2.5), Path("a/b")]}
        params = {"symbol": np.str_("IBM"), "day": pd.Timestamp("2026-01-05"), "seen": seen}
        until(client.workflows, what="the workflow is stored")
        run = client.submit("values", params=params)
        assert run.wait(30) == "SUCCESS"
        assert run.output("make") == MADE
        assert run.output("take") == {"last": "2026-01-05T00:00:00", "is_same": True}
        line = until(lambda: next((line for line in run.logs() if line.message == "made"), None))
        assert line.attributes == {"at": "2026-01-05T00:00:00", "count": 3, "odd": "{1}"}
        command = [sys.executable, "-m", "qflowd", "show", str(run.id), "--json"]
        shown = json.loads(subprocess.run(command, env=environment(daemon), capture_output=True, check=True).stdout)
        assert shown["tasks"][0]["output"] == MADE


def environment(daemon: Daemon) -> dict[str, str]:
    return {"QFLOWD_DATABASE_URL": daemon.url, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
