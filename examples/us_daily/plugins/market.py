"""The market database: a SQLite file of the jobs' own, in the project folder. The queue is another file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

FILE = "market.db"  # a worker's current folder is that of qflowd.toml

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (session TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listing (symbol TEXT PRIMARY KEY, first_session TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bar (
    symbol TEXT, session TEXT, open REAL, high REAL, low REAL, close REAL, volume INTEGER, adj_close REAL,
    PRIMARY KEY (symbol, session)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS adjusted (
    symbol TEXT, session TEXT, open REAL, high REAL, low REAL, close REAL, factor REAL,
    PRIMARY KEY (symbol, session)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
    symbol TEXT, session TEXT, fault TEXT, PRIMARY KEY (symbol, session, fault)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restatement (run INTEGER, symbol TEXT, PRIMARY KEY (run, symbol)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS former (
    run INTEGER, symbol TEXT, session TEXT, open REAL, high REAL, low REAL, close REAL, volume INTEGER, adj_close REAL,
    PRIMARY KEY (run, symbol, session)
) WITHOUT ROWID;
"""


@contextmanager
def market() -> Iterator[sqlite3.Connection]:
    """One transaction on the market database: all of it is stored, or, if the block raises, nothing."""
    with closing(sqlite3.connect(FILE, timeout=30)) as connection:
        connection.executescript(SCHEMA)
        with connection:
            yield connection


def closes(start: str, end: str) -> dict[str, list[tuple[str, float]]]:
    """Symbol -> (session, adjusted close) from `start` to `end`, in order of time."""
    found: dict[str, list[tuple[str, float]]] = {}
    with market() as db:
        query = "SELECT symbol, session, close FROM adjusted WHERE session BETWEEN ? AND ? ORDER BY symbol, session"
        for symbol, session, close in db.execute(query, (start, end)):
            found.setdefault(symbol, []).append((session, close))
    return found
