"""Weeks, months, quarters and years, as sessions are counted in them."""

from datetime import date, timedelta
from typing import Literal

Period = Literal["week", "month", "quarter", "year"]


def span_of(period: Period, day: date) -> tuple[date, date]:
    """The first and the last day of the period in which a day lies; weeks begin on Monday."""
    if period == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=6)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    first = day.replace(month=day.month - (day.month - 1) % months, day=1)
    after = first.month + months
    return first, date(first.year + (after > 12), after - 12 * (after > 12), 1) - timedelta(days=1)
