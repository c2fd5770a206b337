"""Where a day is kept: files of the vendor's answers until it is checked, then the market database."""

import csv
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

RAW = Path("raw")  # a worker's current folder is that of qflowd.toml
SCHEMA = """
CREATE TABLE IF NOT EXISTS bar (
    symbol TEXT, day TEXT, open REAL, high REAL, low REAL, close REAL, volume REAL, factor REAL,
    PRIMARY KEY (symbol, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contract (
    contract TEXT, day TEXT, settlement REAL, margin REAL, PRIMARY KEY (contract, day)
) WITHOUT ROWID;
"""


@contextmanager
def market() -> Iterator[sqlite3.Connection]:
    """One transaction on the market database: all of it is stored, or, if the block raises, nothing."""
    with closing(sqlite3.connect("market.db", timeout=30)) as connection:
        connection.executescript(SCHEMA)
        with connection:
            yield connection


def keep(day: date, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows of a day to a file, which is whole or not there. Returns how many there are."""
    rows = list(rows)
    file = RAW / str(day) / f"{name}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]) if rows else ["symbol"])
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(file)
    return len(rows)


def kept(day: date, pattern: str) -> list[dict[str, str]]:
    """All rows of the files of a day whose names match."""
    rows: list[dict[str, str]] = []
    for file in sorted((RAW / str(day)).glob(f"{pattern}.csv")):
        with file.open(encoding="utf-8", newline="") as source:
            rows += csv.DictReader(source)
    return rows
