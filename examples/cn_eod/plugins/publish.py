"""Jobs that give the market database to those who read it: a folder in the layout of qlib, and returns of a month."""

import csv
import shutil
from array import array
from datetime import date
from math import nan
from pathlib import Path

from market import market

from qflowd import context, job

FIELDS = ("open", "high", "low", "close", "volume", "factor")
BARS = "SELECT day, open, high, low, close, volume, factor FROM bar WHERE symbol = ? ORDER BY day"
PUBLISHED = Path("qlib")  # a link to the folder of the latest run


@job(limits={"qlib": 1})
def publish_qlib() -> dict[str, int]:
    """Write all bars as qlib reads them, and put the new folder in place of the former one at once.

    One run at a time does this, after its own bars are stored: so the folder is never older than a run that has ended.
    """
    folder = Path(f"{PUBLISHED}-{context().instance_id}-{context().fence}")
    with market() as db:
        days = [day for (day,) in db.execute("SELECT DISTINCT day FROM bar ORDER BY day")]
        symbols = [symbol for (symbol,) in db.execute("SELECT DISTINCT symbol FROM bar ORDER BY symbol")]
        (folder / "calendars").mkdir(parents=True)
        (folder / "calendars" / "day.txt").write_text("".join(f"{day}\n" for day in days), "utf-8")
        listed = []
        for done, symbol in enumerate(symbols, 1):
            bars = {day: values for day, *values in db.execute(BARS, [symbol])}
            listed.append("\t".join((name_of(symbol), min(bars), max(bars))))
            write_features(folder / "features" / name_of(symbol).lower(), days, bars)
            context().progress(done, len(symbols), symbol)
    (folder / "instruments").mkdir()
    (folder / "instruments" / "all.txt").write_text("".join(f"{line}\n" for line in listed), "utf-8")
    former = PUBLISHED.resolve()
    link = folder.with_suffix(".link")
    link.symlink_to(folder.name)
    link.replace(PUBLISHED)
    if former.name != PUBLISHED.name:
        shutil.rmtree(former)
    return {"days": len(days), "symbols": len(symbols)}


def write_features(folder: Path, days: list[str], bars: dict[str, list[float]]) -> None:
    """A file for each field: the place of the first bar among all days, then a value a day, as little-endian float32."""
    folder.mkdir(parents=True)
    first, last = days.index(min(bars)), days.index(max(bars))
    for place, field in enumerate(FIELDS):
        values = [bars[day][place] if day in bars else nan for day in days[first : last + 1]]
        (folder / f"{field}.day.bin").write_bytes(array("f", [first, *values]).tobytes())


def name_of(symbol: str) -> str:
    """000001.SZ is SZ000001 in qlib."""
    number, exchange = symbol.split(".")
    return exchange + number


@job
def month_returns(day: date) -> str:
    """Write what each share returned from the first to the last session of the month that are stored."""
    query = "SELECT symbol, day, close * factor FROM bar WHERE day BETWEEN ? AND ? ORDER BY symbol, day"
    closes: dict[str, list[float]] = {}
    with market() as db:
        for symbol, _, close in db.execute(query, (str(day.replace(day=1)), str(day))):
            closes.setdefault(symbol, []).append(close)
    file = Path("months") / f"{day:%Y-%m}.csv"
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows((symbol, f"{each[-1] / each[0] - 1:.6f}") for symbol, each in closes.items())
    return str(file)
