"""Jobs that look whether the data can be trusted, before anybody computes with them."""

from datetime import date
from typing import Any

from market import market

from qflowd import context, job

# A stock that is not listed yet misses nothing.
MISSING = """
SELECT l.symbol, s.session, 'missing' FROM listing l JOIN session s ON s.session >= l.first_session
LEFT JOIN bar b ON b.symbol = l.symbol AND b.session = s.session
WHERE s.session BETWEEN :start AND :end AND b.session IS NULL ORDER BY 1, 2
"""
BROKEN = """
SELECT symbol, session, CASE WHEN volume <= 0 THEN 'no volume' ELSE 'open or close outside low to high' END FROM bar
WHERE session BETWEEN :start AND :end
  AND NOT (volume > 0 AND low > 0 AND low <= min(open, close) AND high >= max(open, close)) ORDER BY 1, 2
"""
LISTED = """
SELECT symbol, first_session FROM listing
WHERE first_session BETWEEN :start AND :end AND first_session > (SELECT min(session) FROM session)
"""


@job
def check_bars(start: date, end: date) -> dict[str, Any]:
    """Count missing sessions and impossible bars; name stocks listed in between, or not yet."""
    window = {"start": str(start), "end": str(end)}
    with market() as db:
        missing = db.execute(MISSING, window).fetchall()
        broken = db.execute(BROKEN, window).fetchall()
        listings = dict(db.execute(LISTED, window))
        later = db.execute("SELECT symbol FROM listing WHERE first_session > :end ORDER BY 1", window)
        unlisted = [symbol for (symbol,) in later]
        count = "SELECT count(*), count(DISTINCT session) FROM bar WHERE session BETWEEN :start AND :end"
        rows, sessions = db.execute(count, window).fetchone()
    return {
        "rows": rows,
        "sessions": sessions,
        "missing": len(missing),
        "broken": len(broken),
        "faults": (missing + broken)[:100],
        "listings": listings,
        "unlisted": unlisted,
    }


@job
def quarantine(faults: list[tuple[str, str, str]]) -> dict[str, int]:
    """Write down what is wrong. Nothing is computed from such data; load them again."""
    with market() as db:
        db.executemany("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", faults)
    for symbol, session, fault in faults:
        context().logger.warning("%s %s: %s", symbol, session, fault)
    return {"held_back": len(faults)}


@job
def note_listings(listings: dict[str, date]) -> None:
    """Say why some series begin later: the stock was not listed yet, which is not a fault."""
    for symbol, day in listings.items():
        print(f"{symbol} was listed on {day:%d %B %Y}; earlier sessions are not missing")
