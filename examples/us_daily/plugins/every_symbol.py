"""Jobs that run once for each symbol of the vendor; one symbol does not hold back the others."""

from datetime import date
from pathlib import Path
from typing import Any

import vendor
from bars import load_bars
from market import market

from qflowd import job

OUTAGE = Path("outage.txt")  # symbols that the vendor does not deliver today, for the demo


@job
def list_symbols() -> list[str]:
    """Every symbol that the vendor has."""
    return list(vendor.first_sessions())


@job(pool="vendor")
def load_symbol(symbol: str, start: date, end: date) -> dict[str, Any]:
    """As `load_bars`, unless there is an outage of the symbol."""
    if OUTAGE.exists() and symbol in OUTAGE.read_text("utf-8").split():
        raise vendor.VendorError(f"simulated for the demo: no bars of {symbol} today")
    loaded: dict[str, Any] = load_bars(symbol, start, end)
    return loaded


@job
def range_of(symbol: str, start: date, end: date) -> dict[str, Any]:
    """The lowest and the highest adjusted close of a symbol."""
    with market() as db:
        query = "SELECT min(adj_close), max(adj_close) FROM bar WHERE symbol = ? AND session BETWEEN ? AND ?"
        low, high = db.execute(query, (symbol, str(start), str(end))).fetchone()
    return {"symbol": symbol, "low": low, "high": high}
