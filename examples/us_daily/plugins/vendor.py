"""The data vendor: real daily bars of five US stocks, out of a public-domain file, handed out page by page.

The prices are real; the slowness is not. A vendor on the network answers in pages, so this one does too.
"""

import csv
import gzip
import time
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

PAGE_S = 0.04  # how long one page (a year) takes
OWN_FILE = Path("stocks.csv.gz")  # put a file of your own here, with the same columns, and it is used instead


class VendorError(Exception):
    """The vendor did not deliver."""


class Bar(NamedTuple):
    """One session of one stock, as traded; `adj_close` makes up for splits and dividends."""

    symbol: str
    session: str  # 2013-03-01
    open: float
    high: float
    low: float
    close: float
    volume: int
    adj_close: float


def pages(symbol: str, start: str, end: str) -> list[int]:
    """The years in which there are bars of `symbol` from `start` to `end`."""
    return sorted({int(bar.session[:4]) for bar in _between(symbol, start, end)})


def fetch(symbol: str, start: str, end: str) -> Iterator[list[Bar]]:
    """Bars of `symbol` from `start` to `end`, a year at a time."""
    for _, page in groupby(_between(symbol, start, end), key=lambda bar: bar.session[:4]):
        time.sleep(PAGE_S)
        yield list(page)


def sessions() -> list[str]:
    """Every day on which any of the stocks was traded."""
    return sorted({bar.session for bars in _all_bars().values() for bar in bars})


def first_sessions() -> dict[str, str]:
    """The first session of every symbol."""
    return {symbol: bars[0].session for symbol, bars in _all_bars().items()}


def _between(symbol: str, start: str, end: str) -> list[Bar]:
    if symbol not in _all_bars():
        raise VendorError(f"unknown symbol {symbol!r}; there are {', '.join(_all_bars())}")
    return [bar for bar in _all_bars()[symbol] if start <= bar.session <= end]


@cache
def _all_bars() -> dict[str, list[Bar]]:
    source = OWN_FILE if OWN_FILE.exists() else files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    with source.open("rb") as packed, gzip.open(packed, "rt", newline="") as lines:
        bars = sorted(_bar(row) for row in csv.DictReader(lines))
    return {symbol: list(group) for symbol, group in groupby(bars, key=lambda bar: bar.symbol)}


def _bar(row: dict[str, str]) -> Bar:
    return Bar(
        symbol=row["Ticker"],
        session=row["Date"],
        open=float(row["Open"]),
        high=float(row["High"]),
        low=float(row["Low"]),
        close=float(row["Close"]),
        volume=int(float(row["Volume"])),
        adj_close=float(row["Adj Close"]),
    )
