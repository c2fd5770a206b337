"""The calendars of stock exchanges and of China's work days, against the libraries that they are made from.

Every day is compared: whether it is a session, and when it opens, breaks and closes. What differs stands in `KNOWN`, with
what the library says, what happened, and who says so. A difference that is not there fails, and so does an entry
that no day needs any more.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import chinese_calendar
import exchange_calendars
import pytest

from qflowd.calendars import bundled
from tests.docs.pages import ROOT

# exchange_calendars is written for an older pandas, and uses what the newest promises to take away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FOLDER = ROOT / "calendars"
ZONES = {
    "XSHG": "Asia/Shanghai",
    "XSHE": "Asia/Shanghai",
    "XHKG": "Asia/Hong_Kong",
    "XNYS": "America/New_York",
    "XNAS": "America/New_York",
    "XTKS": "Asia/Tokyo",
}
# By calendar: its first and last day, and how many sessions the library has in between under pandas 2.3: newer ones have
# lost some. It has no Shenzhen, whose holidays are Shanghai's.
SPANS = {
    "XSHG": ("1990-12-19", "2026-12-31", 8797),
    "XSHE": ("1991-07-03", "2026-12-31", 8661),
    "XHKG": ("1990-01-01", "2027-12-31", 9376),
    "XNYS": ("1990-01-01", "2028-12-31", 9820),
    "XNAS": ("1990-01-01", "2028-12-31", 9820),
    "XTKS": ("1997-01-01", "2027-12-31", 7593),
}


@dataclass(frozen=True)
class Difference:
    """Days on which the library is known to be wrong: its hours, and those of the file; empty: no session."""

    calendar: str
    days: str
    library: str
    file: str
    source: str

    def covers(self, day: date, library: str, file: str) -> bool:
        spans = [word.split("..") for word in self.days.split()]
        return (self.library, self.file) == (library, file) and any(w[0] <= str(day) <= w[-1] for w in spans)


NOW = "09:30-12:00 13:00-16:00"  # Hong Kong
THEN = "10:00-12:00 13:00-16:00"  # before 2011, as the library has it
TOKYO = "09:00-11:30 12:30-15:00"
NYSE = "09:30-16:00"
KNOWN = [
    # ---- Hong Kong: days
    Difference("XHKG", "2023-09-01", NOW, "", "HKEX, 2023-09-01: no trading today, Typhoon Signal No. 8 (Saola)"),
    Difference(
        "XHKG", "2023-09-08", NOW, "", "HKEX, 2023-09-08: no trading today, black rainstorm and extreme conditions"
    ),
    Difference(
        "XHKG",
        "1990-05-02 1991-05-21 1992-05-11 1993-05-28 1994-05-18 1995-05-08 1996-05-24 1997-05-14 1998-05-04",
        "",
        "10:00-12:30 14:30-16:00",
        "South China Morning Post, 1997-11-19: the Buddha's Birthday is a holiday from 1999 on",
    ),
    Difference(
        "XHKG", "1991-02-14 1997-02-06", THEN, "", "General Holidays Ordinance until 2010: the day before, for a Sunday"
    ),
    Difference(
        "XHKG", "1993-10-01", THEN, "", "the day following the Mid-Autumn Festival; National Day is one since 1997"
    ),
    # ---- Hong Kong: hours
    Difference(
        "XHKG", "1990-01-01..2011-03-06", THEN, "10:00-12:30 14:30-16:00", "HKEX, 2010-11-23: hours until 2011-03-07"
    ),
    Difference("XHKG", "2011-03-07..2012-03-04", NOW, "09:30-12:00 13:30-16:00", "HKEX, 2012-03-01: second phase"),
    Difference("XHKG", "2007-08-10", THEN, "10:00-12:30 14:30-14:45", "Eastday, 2007-08-11: Pabuk shortens trading"),
    Difference("XHKG", "2008-06-25", THEN, "14:30-16:00", "HKEX, 2008-06-25: trading resumes at 2:30 pm (Fengshen)"),
    Difference("XHKG", "2009-09-15", THEN, "14:30-16:00", "a comment in exchange_calendars: no morning (Koppu)"),
    Difference("XHKG", "2012-07-24", NOW, "13:00-16:00", "Reuters, 2012-07-24: opens at 1 p.m. (Vicente)"),
    Difference("XHKG", "2013-05-22", NOW, "13:00-16:00", "Bloomberg, 2013-05-22: postponed to 1 p.m., black rainstorm"),
    Difference("XHKG", "2013-09-23", NOW, "13:00-16:00", "Reuters, 2013-09-23: resumes from 1 p.m. (Usagi)"),
    Difference("XHKG", "2014-09-16", NOW, "13:00-16:00", "Bloomberg, 2014-09-16: resumes at 1 p.m. (Kalmaegi)"),
    Difference(
        "XHKG", "2019-07-31", NOW, "09:30-12:00 13:00-13:55", "Straits Times, 2019-08-01: signal at 1.40 pm (Wipha)"
    ),
    Difference("XHKG", "2020-08-19", NOW, "13:30-16:00", "HKEX, 2020-08-19: resumes at 1:30 pm (Higos)"),
    Difference("XHKG", "2021-06-28", NOW, "13:30-16:00", "HKEX, 2021-06-28: resumes at 1:30 pm, black rainstorm"),
    Difference("XHKG", "2022-08-25", NOW, "13:00-16:00", "HKEX by Investing.com, 2022-08-25: from 13:00 (Ma-on)"),
    Difference(
        "XHKG", "2022-11-02", NOW, "09:30-12:00 13:00-13:55", "HKEX by Xinhua, 2022-11-02: until 1.55 p.m. (Nalgae)"
    ),
    Difference("XHKG", "2023-10-09", NOW, "14:00-16:00", "HKEX by Dow Jones, 2023-10-09: begins at 2 p.m. (Koinu)"),
    # ---- New York
    Difference("XNYS", "1994-02-11", NYSE, "09:30-14:30", "NYSE, special closings: snow"),
    Difference("XNYS", "1995-12-18", NYSE, "10:30-16:00", "NYSE, special closings: computers"),
    Difference("XNYS", "1996-01-08", NYSE, "11:00-14:00", "NYSE, special closings: snow"),
    Difference("XNYS", "1997-10-27", NYSE, "09:30-15:30", "NYSE, special closings: circuit breaker"),
    Difference(
        "XNYS", "2002-09-11", NYSE, "12:00-16:00", "ABC News, 2002-09-11: opening delayed by two and a half hours"
    ),
    Difference(
        "XNYS", "2005-06-01", NYSE, "09:30-15:56", "Washington Post, 2005-06-02: glitch closes NYSE four minutes early"
    ),
    # ---- Tokyo
    Difference(
        "XTKS", "1998-05-06", "", "09:00-11:00 12:30-15:00", "holidays law until 2006: a Sunday's substitute is Monday"
    ),
    Difference(
        "XTKS", "1997-01-01..2006-01-18", TOKYO, "09:00-11:00 12:30-15:00", "Mainichi, 2011-11-21: morning until 11:00"
    ),
    Difference(
        "XTKS", "2006-01-19..2006-04-23", TOKYO, "09:00-11:00 13:00-15:00", "ITmedia, 2006-01-18; BCN, 2006-04-20"
    ),
    Difference(
        "XTKS", "2006-04-24..2011-11-20", TOKYO, "09:00-11:00 12:30-15:00", "Mainichi, 2011-11-21: morning until 11:00"
    ),
    Difference(
        "XTKS",
        "1997-01-06 1997-12-30 1998-01-05 1998-12-30 1999-01-04 1999-12-30 2000-01-04 2000-12-29 2001-01-04 "
        "2001-12-28 2002-01-04 2002-12-30 2003-01-06 2003-12-30 2004-01-05 2004-12-30 2005-01-04 2005-12-30 "
        "2006-01-04 2006-12-29 2007-01-04 2007-12-28 2008-01-04 2008-12-30 2009-01-05",
        TOKYO,
        "09:00-11:00",
        "Rakuten Securities, 2009-12-30: the last and the first session of a year were mornings until then",
    ),
    Difference("XTKS", "2005-11-01", TOKYO, "13:30-15:00", "Yomiuri, 2005-11-01: all trading begins at 1.30 p.m."),
    Difference(
        "XTKS", "2006-01-18", TOKYO, "09:00-11:00 12:30-14:40", "ITmedia, 2006-01-18: all trading stops at 2.40 p.m."
    ),
]


def days_of(name: str) -> list[date]:
    first, last = (date.fromisoformat(day) for day in SPANS[name][:2])
    return [first + timedelta(number) for number in range((last - first).days + 1)]


@cache
def by_library(name: str) -> dict[date, str]:
    """The hours of each session by the clocks of the exchange."""
    known = exchange_calendars.get_calendar(
        "XSHG" if name == "XSHE" else name, start=SPANS[name][0], end=SPANS[name][1]
    )
    edges = [known.schedule[edge].dt.tz_convert(ZONES[name]) for edge in ("open", "break_start", "break_end", "close")]
    for edge in edges:
        assert (edge.dropna().dt.tz_localize(None).dt.normalize() == edge.dropna().index).all(), (
            "on the session's own day"
        )
    clocks = zip(*(edge.dt.strftime("%H:%M").fillna("").tolist() for edge in edges), strict=True)
    return {day.date(): hours(*times) for day, times in zip(known.sessions, clocks, strict=True)}


def hours(begin: str, break_start: str, break_end: str, end: str) -> str:
    return f"{begin}-{break_start} {break_end}-{end}" if break_start else f"{begin}-{end}"


@cache
def by_file(name: str) -> dict[date, str]:
    calendar, zone = bundled.calendar(name), ZoneInfo(ZONES[name])
    found = {}
    for session in (calendar.session(day) for day in days_of(name) if calendar.is_session(day)):
        parts = [(begin.astimezone(zone), end.astimezone(zone)) for begin, end in session.parts]
        assert {edge.date() for part in parts for edge in part} == {session.day}
        found[session.day] = " ".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in parts)
    return found


@pytest.mark.parametrize("name", SPANS)
def test_a_calendar_speaks_of_the_days_that_it_should(name: str) -> None:
    calendar = bundled.calendar(name)
    assert (str(calendar.first), str(calendar.last), calendar.timezone) == (*SPANS[name][:2], ZONES[name])
    assert calendar.source == f"exchange_calendars {exchange_calendars.__version__}"


@pytest.mark.parametrize("name", SPANS)
def test_the_library_has_lost_no_day(name: str) -> None:
    assert len(by_library(name)) == SPANS[name][2]


def test_files_begin_and_end_where_the_library_does_or_what_is_published() -> None:
    bounds = {name: exchange_calendars.get_calendar(name) for name in ("XSHG", "XTKS")}
    assert str(bounds["XSHG"].bound_max().date()) == SPANS["XSHG"][1]
    assert str(bounds["XTKS"].bound_min().date()) == SPANS["XTKS"][0]


@pytest.mark.parametrize("name", SPANS)
def test_each_day_is_as_the_library_has_it_or_differs_for_a_reason(name: str) -> None:
    known = [difference for difference in KNOWN if difference.calendar == name]
    met, unknown = set(), []
    for day in days_of(name):
        library, file = by_library(name).get(day, ""), by_file(name).get(day, "")
        if library == file:
            continue
        reasons = [difference for difference in known if difference.covers(day, library, file)]
        met.update(reasons)
        if len(reasons) != 1:
            unknown.append(
                f"{day}: the library has {library!r}, the file {file!r}, and {len(reasons)} entries are for it"
            )
    assert unknown == []
    assert [difference for difference in known if difference not in met] == []


def test_half_days_at_the_turn_of_the_year_in_tokyo_are_its_first_and_last_sessions() -> None:
    mornings = [day for day, hours in by_file("XTKS").items() if hours == "09:00-11:00"]
    ends = []
    for year in range(1997, 2010):
        sessions = [day for day in by_library("XTKS") if day.year == year]
        ends += [sessions[0], sessions[-1]]
    assert mornings == ends[:-1], "the last session of 2009 was the first with an afternoon"


def test_each_work_day_in_china_is_as_the_library_has_it() -> None:
    calendar = bundled.calendar("CN")
    years = {day.year for day in (*chinese_calendar.holidays, *chinese_calendar.workdays)}
    assert (str(calendar.first), str(calendar.last)) == (f"{min(years)}-01-01", f"{max(years)}-12-31")
    days = [calendar.first + timedelta(number) for number in range((calendar.last - calendar.first).days + 1)]
    assert len(days) == 8401
    assert [day for day in days if calendar.is_session(day) != chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("XSHG", "2020-01-31", ""),  # the Spring Festival was prolonged
        ("XSHG", "2024-02-09", ""),  # the eve, which was not a public holiday
        ("XHKG", "2024-09-06", ""),  # Yagi
        ("XHKG", "2024-11-14", NOW),  # Toraji: since 2024-09-23 typhoons no longer stop trading
        ("XHKG", "2025-09-24", NOW),  # Ragasa
        ("XHKG", "2027-02-05", "09:30-12:00"),
        ("XNYS", "2012-10-29", ""),
        ("XNYS", "2012-10-30", ""),
        ("XNYS", "2018-12-05", ""),
        ("XNYS", "2025-01-09", ""),
        ("XNYS", "2028-07-03", "09:30-13:00"),
        ("XNAS", "2027-12-24", ""),
        ("XTKS", "2020-10-01", ""),
        ("XTKS", "2024-11-01", TOKYO),
        ("XTKS", "2024-11-05", "09:00-11:30 12:30-15:30"),
    ],
)
def test_days_that_were_in_the_news_are_as_they_were(name: str, day: str, hours: str) -> None:
    assert by_file(name).get(date.fromisoformat(day), "") == hours


def test_the_script_writes_the_files_that_ship(tmp_path) -> None:
    subprocess.run([sys.executable, "-W", "ignore", str(FOLDER / "make.py"), str(tmp_path)], check=True, timeout=120)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(written) == sorted(f"{name}.json" for name in [*SPANS, "CN"])
    assert written == {name: (FOLDER / name).read_bytes() for name in written}


def test_all_calendars_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) <= 40 * 1024
