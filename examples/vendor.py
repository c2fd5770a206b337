"""A made-up vendor of market data on 127.0.0.1, which the examples ask. `python examples/vendor.py` serves it.

It behaves as vendors do: it allows so many requests in a time and refuses more with 429 and Retry-After; the bars of
a day land late, a part of them first; it hangs up once a day; one of its bars is wrong. All figures follow from
symbol and day, so that everybody is told the same. `/stats` says how often it was asked.
"""

import argparse
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import sin
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

import qflowd

PORT = 8765
ALLOWED = {
    "index_weight": (2, 30.0),
    "others": (30, 1.0),
}  # requests of a table, or of all others, within so many seconds
RETRY_AFTER_S = 1  # the next window begins then
TODAY = date(2026, 11, 20)  # bars of this day and later ones land late
EARLY_SHARE = 0.6  # of them are there at once
SPOILED = (date(2026, 11, 17), "000029.SZ")  # a bar whose high is below its low

SHARES = [f"{600000 + 7 * n}.SH" if n % 2 else f"{7 * n + 1:06}.SZ" for n in range(60)]
INDEXES = {"000016.SH": 10, "000300.SH": 30, "000905.SH": 60}  # and how many shares are in each
CONTRACTS = ["au2612", "au2702", "au2704"]
LISTED = {"XHKG": ["00005", "00700", "09988"], "XNYS": ["IBM", "JPM", "KO"]}
LATE = ("daily", "closes")

Row = dict[str, Any]


class Vendor:
    """What it has, and how it was asked.

    Args:
        late_s: seconds from the first question about a day until its bars are complete.
    """

    def __init__(self, late_s: float = 5.0) -> None:
        self.late_s = late_s
        self.stats: dict[str, Counter[str]] = {name: Counter() for name in ("answered", "refused", "impatient")}
        self._lock = threading.Lock()
        self._first_asked: dict[date, float] = {}
        self.allowed = dict(ALLOWED)
        self._asked = {name: deque[float]() for name in ALLOWED}
        self._refuses_until = dict.fromkeys(ALLOWED, 0.0)
        self._hung_up_on = set[date]()

    def answer(self, table: str, query: dict[str, str]) -> tuple[int, Any]:
        """The status of HTTP and what is sent with it."""
        if table == "stats":
            return 200, self.stats
        if table not in TABLES:
            return 404, f"there is no table {table}"
        day, now = date.fromisoformat(query["day"]), time.monotonic()
        with self._lock:
            if not self._is_allowed(table, now):
                return 429, "too many requests"
            if table == "adj_factor" and day >= TODAY and day not in self._hung_up_on:
                self._hung_up_on.add(day)
                return 503, "hung up"
            share = self._share(day, now)
            self.stats["answered"][table] += 1
        if table in LATE and share < 1:
            return 202, "not yet"
        rows = TABLES[table](day, query)
        return 200, rows if table != "landed" else int(share * len(rows))

    def _is_allowed(self, table: str, now: float) -> bool:
        """Whether one more is allowed. What comes while it refuses is `impatient`."""
        kind = table if table in self.allowed else "others"
        most, window_s = self.allowed[kind]
        asked = self._asked[kind]
        while asked and asked[0] < now - window_s:
            asked.popleft()
        if now < self._refuses_until[kind]:
            self.stats["impatient"][table] += 1
            return False
        if len(asked) >= most:
            self.stats["refused"][table] += 1
            self._refuses_until[kind] = now + RETRY_AFTER_S * 0.9  # clocks differ a little
            asked.clear()
            return False
        asked.append(now)
        return True

    def _share(self, day: date, now: float) -> float:
        """How much of the bars of a day is there."""
        since = self._first_asked.setdefault(day, now)
        return EARLY_SHARE if day >= TODAY and now < since + self.late_s else 1.0


def close_of(symbol: str, day: date) -> float:
    base = 5 + crc32(symbol.encode()) % 200
    noise = crc32(f"{symbol} {day}".encode()) % 2001 - 1000
    return round(base * (1 + sin(day.toordinal() / 9 + base) / 20) * (1 + noise / 100_000), 2)


def traded(day: date) -> list[str]:
    return [symbol for symbol in SHARES if crc32(f"{day} {symbol}".encode()) % 37]


def bars(day: date, query: dict[str, str]) -> list[Row]:
    asked = query["symbols"].split(",")
    return [bar(symbol, day) for symbol in traded(day) if symbol in asked]


def bar(symbol: str, day: date) -> Row:
    close = close_of(symbol, day)
    high, low = round(close * 1.01, 2), round(close * 0.99, 2)
    if (day, symbol) == SPOILED:
        high, low = low, high
    return {"symbol": symbol, "open": close, "high": high, "low": low, "close": close, "volume": 100 * int(close * 50)}


def price_limits(day: date, _: dict[str, str]) -> list[Row]:
    before = qflowd.calendar("XSHG").prev_session(day)
    closes = {symbol: close_of(symbol, before) for symbol in SHARES}
    return [{"symbol": s, "lowest": round(c * 0.9, 2), "highest": round(c * 1.1, 2)} for s, c in closes.items()]


def weights(_: date, query: dict[str, str]) -> list[Row]:
    members = SHARES[: INDEXES[query["index"]]]
    return [{"symbol": symbol, "weight": round(100 / len(members), 4)} for symbol in members]


def rates(day: date, _: dict[str, str]) -> list[Row]:
    """Yuan for a dollar of either kind."""
    return [
        {"currency": currency, "rate": round(about * close_of(currency, day) / close_of(currency, TODAY), 4)}
        for currency, about in (("HKD", 0.91), ("USD", 7.08))
    ]


TABLES: dict[str, Callable[[date, dict[str, str]], list[Any]]] = {
    "symbols": lambda *_: SHARES,
    "landed": lambda day, *_: traded(day),
    "daily": bars,
    "adj_factor": lambda *_: [{"symbol": s, "factor": 1 + crc32(s.encode()) % 5} for s in SHARES],
    "suspended": lambda day, *_: [{"symbol": s} for s in SHARES if s not in traded(day)],
    "price_limits": price_limits,
    "index_weight": weights,
    "closes": lambda day, query: [{"symbol": s, "close": close_of(s, day)} for s in LISTED[query["market"]]],
    "fx": rates,
    "contracts": lambda day, *_: [{"contract": c, "settlement": close_of(c, day), "margin": 0.1} for c in CONTRACTS],
}


def serve(vendor: Vendor, port: int = PORT) -> ThreadingHTTPServer:
    """A server that listens at the port, 0 for a free one; `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, content = vendor.answer(url.path.strip("/"), dict(parse_qsl(url.query)))
            body = json.dumps(content).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", str(RETRY_AFTER_S))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing: /stats does."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="A made-up vendor of market data.")
    options.add_argument("--port", type=int, default=PORT)
    options.add_argument("--late", type=float, default=5.0, metavar="SECONDS", help="how late bars land")
    given = options.parse_args()
    with serve(Vendor(given.late), given.port) as server:
        print(f"vendor on http://127.0.0.1:{given.port}/", flush=True)
        server.serve_forever()
