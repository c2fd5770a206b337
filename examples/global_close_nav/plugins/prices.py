"""Jobs that bring prices in: closes of a market, which land some time after it has closed, and rates."""

from datetime import date
from typing import Any

from fund import fund
from vendor import ask

from qflowd import job

CURRENCIES = {"XHKG": "HKD", "XNYS": "USD"}


@job(limits={"vendor": 1}, title="Closes of a market")
def fetch_closes(day: date, market: str) -> dict[str, Any]:
    """Order the closes. This vendor needs no order: what follows looks until they are there."""
    return {"day": day, "market": market}


@fetch_closes.poll(first=0, every="500ms", within="3h")
def closes_landed(order: dict[str, Any]) -> int:
    """Store them. A look that finds nothing is not an attempt, and between looks no worker is held."""
    rows = ask("closes", **order)
    currency = CURRENCIES[order["market"]]
    with fund() as db:
        db.executemany(
            "INSERT OR REPLACE INTO price VALUES (?, ?, ?, ?)",
            [(row["symbol"], order["day"], currency, row["close"]) for row in rows],
        )
    return len(rows)


@job(limits={"vendor": 1})
def fetch_rates(day: date) -> dict[str, float]:
    """Store how many yuan each currency is worth."""
    rates = {row["currency"]: row["rate"] for row in ask("fx", day=day)}
    with fund() as db:
        db.executemany(
            "INSERT OR REPLACE INTO rate VALUES (?, ?, ?)", [(name, str(day), rate) for name, rate in rates.items()]
        )
    return rates
