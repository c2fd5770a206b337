"""Jobs that bring a day in. Each keeps what it was told in a file, so running it twice does no harm."""

from datetime import date
from typing import Any

from market import keep, market
from vendor import ask

from qflowd import NotYet, context, job


@job(limits={"vendor": 1}, title="Wait until the bars of a day have landed")
def await_bars(day: date, before: date) -> dict[str, Any]:
    """Find out how many bars there must be: 95 % of those of the session before."""
    return {"day": day, "needed": -(-ask("landed", day=before) * 95 // 100)}


@await_bars.poll(first=0, every="500ms", within="4h")  # a real vendor would be asked every five minutes
def landed(ticket: dict[str, Any]) -> int:
    """Look how many there are. A look is not an attempt, and between looks no worker is held."""
    there = ask("landed", day=ticket["day"])
    if there < ticket["needed"]:
        raise NotYet(f"{there} of {ticket['needed']} bars")
    return int(there)


@job(limits={"vendor": 1})
def list_symbols(day: date) -> list[str]:
    """List the shares that are listed on a day."""
    return list(ask("symbols", day=day))


@job(limits={"vendor": 1})
def fetch_bars(day: date, symbols: list[str]) -> int:
    """Fetch the bars of some symbols."""
    return keep(day, f"bars-{symbols[0]}", ask("daily", day=day, symbols=",".join(symbols)))


@job(limits={"vendor": 1})
def fetch_table(day: date, table: str) -> int:
    """Fetch what the vendor has in one table for a day."""
    rows = keep(day, table, ask(table, day=day))
    context().logger.info("%s: %d rows", table, rows)
    return rows


@job(limits={"vendor:index_weight": 1})
def fetch_weights(day: date, index: str) -> int:
    """Fetch the weights of an index. The vendor allows few of these requests, so they have a limit of their own."""
    rows = ask("index_weight", "vendor:index_weight", day=day, index=index)
    return keep(day, f"weights-{index}", [{"index": index, **row} for row in rows])


@job(limits={"vendor": 1})
def fetch_contracts(day: date) -> int:
    """Store the contracts of a session, before its night begins."""
    rows = [(row["contract"], str(day), row["settlement"], row["margin"]) for row in ask("contracts", day=day)]
    with market() as db:
        db.executemany("INSERT OR REPLACE INTO contract VALUES (?, ?, ?, ?)", rows)
    return len(rows)
