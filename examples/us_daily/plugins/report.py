"""The job that draws the report: figures of the tasks before it, prices from the market database, one HTML file."""

from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from charts import Line, falls, growth, months, percent
from market import closes, market
from page import PAGE

from qflowd import job

Figures = dict[str, Any]  # outputs of check, adjust, monthly, risk and correlation, each by its name


@job
def draw_report(file: Path, start: date, end: date, figures: Figures) -> dict[str, Any]:
    """Write the report to `file` (below the project folder); the output says where it is."""
    lines = _lines(start, end)
    html = PAGE.substitute(
        symbols=", ".join(escape(line.name) for line in lines),
        period=f"{_day(start)} to {_day(end)}",
        facts=_facts(figures),
        growth=growth(lines),
        growth_note=_growth_note(figures["risk"]),
        falls=falls(lines),
        risk=_risk_table(figures["risk"], {line.name: line.colour for line in lines}),
        months=_months(figures["monthly"]),
        correlation=_correlation_table(figures["correlation"]),
        findings="".join(f"<li>{escape(line)}</li>" for line in _findings(figures)),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")
    return {"file": str(file.resolve()), "bytes": len(html.encode())}


def _lines(start: date, end: date) -> list[Line]:
    """One line per symbol that has bars; a symbol keeps its colour in every report."""
    with market() as db:
        symbols = [symbol for (symbol,) in db.execute("SELECT symbol FROM listing ORDER BY symbol")]
    series = closes(str(start), str(end))
    return [Line(symbol, number % 5, series[symbol]) for number, symbol in enumerate(symbols) if symbol in series]


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _facts(figures: Figures) -> str:
    check = figures["check"]
    facts = {
        "bars": check["rows"],
        "sessions": check["sessions"],
        "missing sessions": check["missing"],
        "impossible bars": check["broken"],
        "splits and large payouts": len(figures["adjust"]["actions"]),
    }
    return "".join(f"<div><b>{count:,}</b>{name}</div>" for name, count in facts.items())


def _growth_note(risk: list[Figures]) -> str:
    best = max(risk, key=lambda row: row["total_return"])
    worst = min(risk, key=lambda row: row["max_drawdown"])
    return (
        f"Best was {best['symbol']} with ${1 + best['total_return']:.2f}. The deepest fall: {worst['symbol']}, "
        f"{percent(worst['max_drawdown'])} from {worst['peak']} to {worst['trough']}. Logarithmic scale."
    )


def _risk_table(risk: list[Figures], colours: dict[str, int]) -> str:
    heads = ("", "sessions", "first", "last", "total return", "volatility a year", "deepest fall", "peak", "trough")
    rows = [
        [
            _cell(f'<span class="chip s{colours[row["symbol"]]}"></span><b>{escape(row["symbol"])}</b>'),
            _cell(f"{row['rows']:,}"),
            _cell(row["first"]),
            _cell(row["last"]),
            _cell(_coloured(row["total_return"])),
            _cell(percent(row["volatility"] or 0, 1)),
            _cell(_coloured(row["max_drawdown"])),
            _cell(row["peak"]),
            _cell(row["trough"]),
        ]
        for row in risk
    ]
    return _table("figures", heads, rows)


def _coloured(share: float) -> str:
    return f'<span class="{"up" if share >= 0 else "down"}">{percent(share, 1, sign=True)}</span>'


def _months(monthly: dict[str, dict[str, float]]) -> str:
    named = [month for returns in monthly.values() for month in returns]
    years = range(int(min(named)[:4]), int(max(named)[:4]) + 1)
    return "".join(f"<div><b>{escape(symbol)}</b>{months(returns, years)}</div>" for symbol, returns in monthly.items())


def _correlation_table(correlation: dict[str, dict[str, float]]) -> str:
    rows = [
        [_cell(f"<b>{escape(symbol)}</b>"), *(_shaded(others.get(other)) for other in correlation)]
        for symbol, others in correlation.items()
    ]
    return _table("matrix", ("", *map(escape, correlation)), rows)


def _shaded(value: float | None) -> str:
    if value is None:
        return _cell("")
    text = f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")  # plus zero: no −0.00
    return _cell(text, f"--share: {max(0.0, value):.0%}")


def _table(kind: str, heads: tuple[str, ...], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<table class="{kind}"><tr>{head}</tr>{body}</table>'


def _cell(html: str, style: str = "") -> str:
    return f'<td style="{style}">{html}</td>' if style else f"<td>{html}</td>"


def _findings(figures: Figures) -> list[str]:
    check = figures["check"]
    return [
        f"All {check['sessions']:,} sessions of the exchange are there for every stock from its listing on.",
        "Every open and close lies between its low and high, and every session has volume.",
        *(f"{symbol} was listed on {day}: a late beginning, not a gap." for symbol, day in check["listings"].items()),
        *(f"{symbol} was not listed yet." for symbol in check["unlisted"]),
        *(f"{symbol}, {day}: {_action(step)}." for symbol, day, step in figures["adjust"]["actions"]),
    ]


def _action(step: float) -> str:
    if abs(step - round(step)) < 0.02:
        return f"a split, {round(step)} for 1"
    return f"a payout worth {percent(step - 1, 1)} of the price"
