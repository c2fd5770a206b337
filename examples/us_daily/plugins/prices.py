"""Jobs that compute: adjusted prices, and what they say about return and risk."""

import math
from datetime import date
from itertools import combinations, pairwise
from statistics import correlation as pearson
from statistics import stdev
from typing import Any

from market import closes, market

from qflowd import job

SESSIONS_A_YEAR = 252

ADJUST = """
INSERT OR REPLACE INTO adjusted
SELECT symbol, session, open * factor, high * factor, low * factor, close * factor, factor
FROM (SELECT *, adj_close / close AS factor FROM bar WHERE session BETWEEN :start AND :end)
"""
# Small steps are ordinary dividends; a step of more than 5 % is a split or a large distribution.
ACTIONS = """
SELECT symbol, session, round(step, 4) FROM (
    SELECT symbol, session, factor / lag(factor) OVER (PARTITION BY symbol ORDER BY session) AS step
    FROM adjusted WHERE session BETWEEN :start AND :end
) WHERE abs(step - 1) > 0.05 ORDER BY session
"""


@job
def adjust_bars(start: date, end: date) -> dict[str, Any]:
    """Scale prices so that splits and dividends leave no jumps, and name the large ones."""
    window = {"start": str(start), "end": str(end)}
    with market() as db:
        rows = db.execute(ADJUST, window).rowcount
        actions = db.execute(ACTIONS, window).fetchall()
    for symbol, session, step in actions:
        print(f"{symbol} {session}: one share became {step:g}")
    return {"rows": rows, "actions": actions}


@job
def monthly_returns(start: date, end: date) -> dict[str, dict[str, float]]:
    """Symbol -> month -> return, from the last session of the month before."""
    returns: dict[str, dict[str, float]] = {}
    for symbol, series in closes(str(start), str(end)).items():
        ends = {session[:7]: close for session, close in series}  # the last one of a month stays
        steps = pairwise([("", series[0][1]), *ends.items()])
        returns[symbol] = {month: round(close / before - 1, 6) for (_, before), (month, close) in steps}
    return returns


@job
def risk_figures(start: date, end: date) -> list[dict[str, Any]]:
    """Per symbol: total return, volatility (annual, of log returns) and the deepest fall from a peak."""
    return [_risk(symbol, series) for symbol, series in closes(str(start), str(end)).items()]


def _risk(symbol: str, series: list[tuple[str, float]]) -> dict[str, Any]:
    prices = [close for _, close in series]
    steps = [math.log(after / before) for before, after in pairwise(prices)]
    depth, peak, trough = min(_falls(series))
    return {
        "symbol": symbol,
        "rows": len(series),
        "first": series[0][0],
        "last": series[-1][0],
        "total_return": round(prices[-1] / prices[0] - 1, 6),
        "volatility": round(stdev(steps) * math.sqrt(SESSIONS_A_YEAR), 6) if len(steps) > 1 else None,
        "max_drawdown": round(depth, 6),
        "peak": peak,
        "trough": trough,
    }


def _falls(series: list[tuple[str, float]]) -> list[tuple[float, str, str]]:
    """For every session: how far below the highest close so far, and when that was."""
    falls, (peak, highest) = [], series[0]
    for session, close in series:
        if close > highest:
            peak, highest = session, close
        falls.append((close / highest - 1, peak, session))
    return falls


@job
def correlation(start: date, end: date) -> dict[str, dict[str, float]]:
    """How alike two symbols moved: correlation of daily returns on the sessions that both have."""
    returns = {
        symbol: {session: close / before - 1 for (_, before), (session, close) in pairwise(series)}
        for symbol, series in closes(str(start), str(end)).items()
    }
    found: dict[str, dict[str, float]] = {symbol: {symbol: 1.0} for symbol in returns}
    for left, right in combinations(returns, 2):
        both = sorted(returns[left].keys() & returns[right].keys())
        if len(both) > 1:
            value = pearson([returns[left][day] for day in both], [returns[right][day] for day in both])
            found[left][right] = found[right][left] = round(value, 6)
    return found
