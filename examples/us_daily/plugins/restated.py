"""Jobs that restate a symbol's bars, and put back what was there if another symbol fails.

A vendor restates adjusted prices with every dividend and split: all bars of a symbol are replaced, or none.
"""

from datetime import date
from itertools import groupby
from typing import Any

import vendor
from market import market

from qflowd import context, job

FULL_DISK = "simulated for the demo: no space left on the device"
RESTORE = """INSERT INTO bar SELECT symbol, session, open, high, low, close, volume, adj_close FROM former
             WHERE run = ? AND symbol = ?"""


@job(pool="vendor", title="Restate daily bars")
def restate_bars(symbol: str, start: date, end: date, *, full_disk: str | None = None) -> dict[str, Any]:
    """Replace all bars of `symbol`, a year in each transaction; the run keeps what they replace.

    For the demo: `full_disk` names the symbol whose last year cannot be written.
    """
    run = context().instance_id
    bars = as_of_last([bar for page in vendor.fetch(symbol, str(start), str(end)) for bar in page])
    with market() as db:
        if db.execute("INSERT OR IGNORE INTO restatement VALUES (?, ?)", (run, symbol)).rowcount:  # else kept already
            db.execute("INSERT INTO former SELECT ?, bar.* FROM bar WHERE symbol = ?", (run, symbol))
        db.execute("DELETE FROM bar WHERE symbol = ?", (symbol,))
    for year, page in groupby(bars, key=lambda bar: bar.session[:4]):
        if symbol == full_disk and year == bars[-1].session[:4]:
            raise OSError(f"{FULL_DISK} ({symbol} {year})")
        with market() as db:
            db.executemany("INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?)", page)
    return {"rows": len(bars), "last": bars[-1].session}


@restate_bars.compensation(retries=5)
def restore_bars(symbol: str) -> dict[str, Any]:
    """Put back the bars that this run has replaced. Harmless if it runs twice, or if none had been replaced yet."""
    kept = context().instance_id, symbol
    with market() as db:
        if not db.execute("DELETE FROM restatement WHERE run = ? AND symbol = ?", kept).rowcount:
            return {"rows": 0}
        db.execute("DELETE FROM bar WHERE symbol = ?", (symbol,))
        rows = db.execute(RESTORE, kept).rowcount
        db.execute("DELETE FROM former WHERE run = ? AND symbol = ?", kept)
    return {"rows": rows}


@job
def forget_former() -> None:
    """All symbols are restated: what was kept is not needed any more."""
    with market() as db:
        db.execute("DELETE FROM restatement WHERE run = ?", (context().instance_id,))
        db.execute("DELETE FROM former WHERE run = ?", (context().instance_id,))


def as_of_last(bars: list[vendor.Bar]) -> list[vendor.Bar]:
    """Bars adjusted for what happened up to the last of them, and for nothing that nobody could know by then."""
    factor = bars[-1].close / bars[-1].adj_close
    return [bar._replace(adj_close=round(bar.adj_close * factor, 2)) for bar in bars]
