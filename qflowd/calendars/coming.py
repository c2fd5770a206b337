"""The sessions that come next, as far as a calendar knows."""

from datetime import date, datetime, timedelta

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.trading_session import TradingSession


def sessions_after(calendar: Calendar, day: date, count: int) -> list[TradingSession]:
    """The first `count` sessions after a day, or as many as are known. Raises: OutsideCalendar, not yet for the day before its first."""
    begin = calendar.first if (calendar.first - day).days == 1 else day
    days = [each for each in calendar.sessions(begin, calendar.last) if each > day]
    return [calendar.session(each) for each in days[:count]]


def last_ended(calendar: Calendar, now: datetime) -> date:
    """Today if its session has ended or it has none, else yesterday; the day before the calendar's first where that is to come.

    Raises: OutsideCalendar past its last day.
    """
    today = calendar.local(now).date()
    if today < calendar.first:
        return calendar.first - timedelta(days=1)
    if not calendar.is_session(today):
        return today
    close_at = calendar.session(today).close_at
    return today if close_at and close_at <= now else today - timedelta(days=1)
