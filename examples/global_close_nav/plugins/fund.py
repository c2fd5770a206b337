"""Where the fund's days are kept: closes, rates, positions and values, in a database of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

SCHEMA = """
CREATE TABLE IF NOT EXISTS price (symbol TEXT, day TEXT, currency TEXT, close REAL, PRIMARY KEY (symbol, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rate (currency TEXT, day TEXT, rate REAL, PRIMARY KEY (currency, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
    symbol TEXT, day TEXT, quantity REAL, positions_of TEXT, PRIMARY KEY (symbol, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nav (day TEXT PRIMARY KEY, value REAL, positions_of TEXT) WITHOUT ROWID;
"""


@contextmanager
def fund() -> Iterator[sqlite3.Connection]:
    """One transaction on the fund's database: all of it is stored, or, if the block raises, nothing."""
    with closing(sqlite3.connect("nav.db", timeout=30)) as connection:  # beside qflowd.toml
        connection.executescript(SCHEMA)
        with connection:
            yield connection
