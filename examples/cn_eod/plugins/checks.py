"""The jobs between the vendor's files and the market database: nothing is stored of a day that is not right."""

from collections import Counter, defaultdict
from datetime import date

from market import kept, market

from qflowd import Fail, job

SHOWN = 10


@job
def check_day(day: date, symbols: list[str]) -> dict[str, int]:
    """Fail, with the bad rows, if a bar is missing, twice there or impossible, or an index does not weigh 100 %."""
    bars = kept(day, "bars-*")
    suspended = {row["symbol"] for row in kept(day, "suspended")}
    limits = {row["symbol"]: (float(row["lowest"]), float(row["highest"])) for row in kept(day, "price_limits")}
    times = Counter(row["symbol"] for row in bars)
    bad = [f"{symbol} has no bar" for symbol in symbols if symbol not in times and symbol not in suspended]
    bad += [f"{symbol} has {count} bars" for symbol, count in times.items() if count > 1]
    bad += [f"{row['symbol']} is impossible: {row}" for row in bars if not is_possible(row, *limits[row["symbol"]])]
    weights = defaultdict[str, float](float)
    for row in kept(day, "weights-*"):
        weights[row["index"]] += float(row["weight"])
    bad += [f"{index} weighs {total:.2f} %" for index, total in weights.items() if abs(total - 100) > 0.1]
    if bad:
        raise Fail(f"{len(bad)} faults on {day}: " + "; ".join(bad[:SHOWN]))
    return {"bars": len(bars), "suspended": len(suspended)}


def is_possible(bar: dict[str, str], lowest: float, highest: float) -> bool:
    """Whether open and close lie between low and high, and these within the price limits of the day."""
    low, high = float(bar["low"]), float(bar["high"])
    between = all(low <= float(bar[name]) <= high for name in ("open", "close"))
    return between and lowest <= low and high <= highest and float(bar["volume"]) >= 0


@job
def merge_day(day: date) -> int:
    """Replace the bars of a day in the market database by those of its files."""
    factors = {row["symbol"]: row["factor"] for row in kept(day, "adj_factor")}
    columns = ("symbol", "open", "high", "low", "close", "volume")
    rows = [tuple(row[name] for name in columns) for row in kept(day, "bars-*")]
    with market() as db:
        db.execute("DELETE FROM bar WHERE day = ?", (str(day),))
        db.executemany(
            "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(symbol, str(day), *prices, factors[symbol]) for symbol, *prices in rows],
        )
    return len(rows)
