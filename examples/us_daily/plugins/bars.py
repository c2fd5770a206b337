"""Jobs that bring data in: sessions and listings, and the bars of one symbol."""

from datetime import date
from typing import Any

import vendor
from market import market

from qflowd import context, job


@job
def load_reference() -> dict[str, Any]:
    """Store the exchange's sessions (days on which anything was traded) and the first session of every symbol."""
    sessions, listings = vendor.sessions(), vendor.first_sessions()
    with market() as db:
        db.executemany("INSERT OR IGNORE INTO session VALUES (?)", [(session,) for session in sessions])
        db.executemany("INSERT OR REPLACE INTO listing VALUES (?, ?)", listings.items())
    return {"sessions": len(sessions), "first": sessions[0], "last": sessions[-1], "symbols": list(listings)}


@job(pool="vendor", title="Load daily bars")
def load_bars(
    symbol: str, start: date, end: date, *, hang_up: bool = False, lost: date | None = None
) -> dict[str, Any]:
    """Replace the bars of `symbol` from `start` to `end`: running it twice does no harm.

    For the demo: `hang_up` makes the first attempt fail (nothing is stored), `lost` leaves one session out.
    """
    attempt = context()
    years = vendor.pages(symbol, str(start), str(end))
    bars: list[vendor.Bar] = []
    for year, page in zip(years, vendor.fetch(symbol, str(start), str(end)), strict=True):
        if hang_up and attempt.attempt == 1 and year == years[-1]:
            raise vendor.VendorError(f"simulated for the demo: the vendor hung up before {year}")
        bars += [bar for bar in page if bar.session != str(lost)]
        attempt.progress(year - years[0] + 1, len(years), f"{symbol} {year}")
    with market() as db:
        db.execute("DELETE FROM bar WHERE symbol = ? AND session BETWEEN ? AND ?", (symbol, str(start), str(end)))
        db.executemany("INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?)", bars)
    attempt.logger.info("%s: %d bars stored", symbol, len(bars))
    return {"symbol": symbol, "rows": len(bars)}
