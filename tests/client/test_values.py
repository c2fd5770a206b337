"""Values on their whole way: SDK or SQL, params, output, the next task, client, logs and command line."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import qflowd
from qflowd.model.errors import Rejected
from qflowd.store.tx import Store
from tests.support.daemon import ROOT, Daemon, until
from tests.support.sql import run_sql

JOBS = """
import logging
from dataclasses import dataclass
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

@dataclass
class Window:
    first: datetime
    days: int

@job
def typed(flag: bool, lots: int, symbols: list[str], window: Window) -> list:
    return [flag, lots, symbols, window]

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
# Everything differs from the hints in spelling alone.
TYPED = """
workflow: typed
params: {flag: {type: boolean}}
tasks:
  typed:
    job: typed
    params: {flag: "{{ params.flag }}", lots: 5.0, symbols: [600519, 000300], window: {first: 2026-01-05 09:30, days: 2.0}}
"""
PARAMS = '{"flag": 1, "lots": 5.0, "symbols": [600519], "window": {"first": "2026-01-05 09:30", "days": 2.0}}'
TRUE = {"sqlite": "json_object('flag', 1 = 1)", "postgresql": "json_build_object('flag', 1 = 1)"}  # SQLite: 1
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


def test_what_a_schema_admits_is_converted_from_a_file_from_sql_and_from_the_sdk(database_url, tmp_path):
    workflows = {"typed.yaml": TYPED}
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows=workflows)
    with daemon, qflowd.connect(database_url) as client, closing(Store(database_url)) as store:
        until(client.workflows, what="the workflow is stored")
        flag = TRUE.get(database_url.partition(":")[0], "JSON_OBJECT('flag', 1 = 1)")
        run_sql(store, f"INSERT INTO qflow.submissions (workflow, params) VALUES ('typed', {flag})")
        run_sql(store, f"INSERT INTO qflow.submissions (job, params) VALUES ('typed', '{PARAMS}')")
        by_sql = until(lambda: rows if len(rows := list(client.instances())) == 2 else None)
        runs = [client.instance(row.id) for row in by_sql]
        runs.append(client.submit(job="typed", params=json.loads(PARAMS)))
        assert [run.wait(30) for run in runs] == ["SUCCESS"] * 3, [run.info().error for run in runs]
        for run in runs:
            flag, lots, symbols, window = run.output()
            assert (flag, lots, type(lots), symbols[0]) == (True, 5, int, "600519")
            assert window == {"first": "2026-01-05T09:30:00", "days": 2}


def test_a_key_that_a_record_does_not_have_is_refused_at_the_door(database_url, tmp_path):
    with (
        Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}),
        qflowd.connect(database_url) as client,
    ):
        params = json.loads(PARAMS)
        params["window"]["dayz"] = 1
        with pytest.raises(Rejected, match=r"window: .*dayz"):
            client.submit(job="typed", params=params).wait(30)
        del params["window"]["dayz"]
        params["window"]["first"] = "soon"
        with pytest.raises(Rejected, match=r'window.first: "soon" is not .*; write it like "2026-11-20T21:00:00"'):
            client.submit(job="typed", params=params).wait(30)


def test_a_code_that_looks_like_a_number_or_a_truth_value_stays_a_string(sqlite_url, tmp_path):
    with Daemon(sqlite_url, tmp_path, plugins={"jobs.py": JOBS}) as daemon, qflowd.connect(sqlite_url) as client:
        command = [sys.executable, "-m", "qflowd", "submit", "--job", "make", "--wait"]
        given = ["-p", "symbol=68243E102", "-p", "day=2026-01-05", "-p", "seen=TRUE"]
        subprocess.run([*command, *given], env=environment(daemon), capture_output=True, check=True)
        [run] = client.instances()
        assert run.params == {"symbol": "68243E102", "day": "2026-01-05", "seen": "TRUE"}
