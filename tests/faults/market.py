"""A market table in three databases, and the jobs that load partitions of it and put them back: a plugin of test_saga_story.

The current folder has `market.json` (kind of database -> URL), `bars_2008.csv` and `die/`: a file there is a step at which
the worker that comes to it kills itself, once.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qflowd import context, job

COLUMNS = "symbol VARCHAR(10), session VARCHAR(10), opening REAL, high REAL, low REAL, closing REAL, volume BIGINT"
NAMES = "symbol, session, opening, high, low, closing, volume"
PARTITION = "symbol = %s AND session LIKE %s"


class Market:
    """The tables `bar`, `former` (what a load has replaced) and `loading` (which loads have begun) in one database."""

    def __init__(self, kind: str, url: str) -> None:
        self._is_sqlite = kind == "sqlite"
        at = urlsplit(url)
        if self._is_sqlite:
            self._db: Any = sqlite3.connect(at.path[1:], timeout=30)
        elif kind == "postgres":
            import psycopg

            self._db = psycopg.connect(url)
        else:
            import pymysql

            self._db = pymysql.connect(
                host=at.hostname or "", port=at.port or 0, user=at.username or "", database=at.path[1:]
            )

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self._db.cursor()
        cursor.execute(sql.replace("%s", "?") if self._is_sqlite else sql, values)
        return [tuple(row) for row in cursor.fetchall()] if sql.startswith("SELECT") else []

    def commit(self) -> None:
        self._db.commit()

    def close(self) -> None:
        self._db.close()

    def create(self, bars: list[tuple[Any, ...]]) -> None:
        """Make the tables, and fill that of the bars."""
        self.run(f"CREATE TABLE bar ({COLUMNS}, PRIMARY KEY (symbol, session))")
        self.run(f"CREATE TABLE former (run BIGINT, {COLUMNS})")
        self.run("CREATE TABLE loading (run BIGINT PRIMARY KEY)")
        self.insert(bars)
        self.commit()

    def insert(self, bars: list[tuple[Any, ...]]) -> None:
        for bar in bars:
            self.run(f"INSERT INTO bar ({NAMES}) VALUES (%s, %s, %s, %s, %s, %s, %s)", *bar)

    def dump(self) -> bytes:
        """All that is in the tables, as bytes."""
        tables = {"bar": "symbol, session", "former": "run, symbol, session", "loading": "run"}
        return repr([self.run(f"SELECT * FROM {table} ORDER BY {key}") for table, key in tables.items()]).encode()


def bars_of(file: Path) -> list[tuple[Any, ...]]:
    """Real daily bars (Quandl WIKI, public domain)."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            (row["symbol"], row["session"], *(float(row[name]) for name in ("open", "high", "low", "close")), int(row["volume"]))
            for row in csv.DictReader(lines)
        ]  # fmt: skip


def step(name: str) -> None:
    """Where a worker may be killed."""
    try:
        Path("die", name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def connect(kind: str) -> Market:
    return Market(kind, json.loads(Path("market.json").read_text("utf-8"))[kind])


@job
def load(kind: str, symbol: str, month: str, fails: bool = False) -> dict[str, Any]:
    """Replace a partition by bars adjusted for a split, in two transactions; before that, keep what is there."""
    run, partition = context().instance_id, (symbol, f"{month}%")
    with closing(connect(kind)) as market:
        step(f"load-{kind}-1")
        if not market.run("SELECT run FROM loading WHERE run = %s", run):
            market.run("INSERT INTO loading (run) VALUES (%s)", run)
            market.run(
                f"INSERT INTO former (run, {NAMES}) SELECT {run}, {NAMES} FROM bar WHERE {PARTITION}", *partition
            )
            step(f"load-{kind}-2")
            market.commit()
        step(f"load-{kind}-3")
        bars = [
            (*bar[:2], *(price / 7 for price in bar[2:6]), bar[6] * 7)
            for bar in bars_of(Path("bars_2008.csv"))
            if bar[0] == symbol and bar[1].startswith(month)
        ]
        half = len(bars) // 2
        market.run(f"DELETE FROM bar WHERE {PARTITION}", *partition)
        market.insert(bars[:half])
        market.commit()
        step(f"load-{kind}-4")
        if fails:
            raise RuntimeError("the vendor's file ends in the middle")
        market.insert(bars[half:])
        market.commit()
        step(f"load-{kind}-5")
    return {"kind": kind, "rows": len(bars)}


@load.compensation(retries=2, retry_delay="0s")
def restore(kind: str, symbol: str, month: str, output: dict[str, Any]) -> None:
    """Put the partition back, in one transaction; nothing is to be done if it was never touched."""
    assert output is None or output["kind"] == kind
    run = context().instance_id
    with closing(connect(kind)) as market:
        step(f"restore-{kind}-1")
        if market.run("SELECT run FROM loading WHERE run = %s", run):
            market.run(f"DELETE FROM bar WHERE {PARTITION}", symbol, f"{month}%")
            market.run(f"INSERT INTO bar ({NAMES}) SELECT {NAMES} FROM former WHERE run = %s", run)
            market.run("DELETE FROM former WHERE run = %s", run)
            market.run("DELETE FROM loading WHERE run = %s", run)
            step(f"restore-{kind}-2")
            market.commit()
        step(f"restore-{kind}-3")
