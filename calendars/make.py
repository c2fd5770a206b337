"""Writes the calendars of stock exchanges and of China's work days; README.md beside it says what is in them.

    python -m pip install '.[calendars]'    # in an environment of its own, as the extra holds pandas back
    python calendars/make.py [FOLDER]

Without FOLDER the files are written beside this one. Running it again writes the same bytes. The days come from two
libraries, at the versions that the extra pins; where they differ from what happened, the corrections below stand, each
with its source. The files of the futures exchanges are kept by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import chinese_calendar
import exchange_calendars

Days = set[date]
ByYear = dict[str, str]


@dataclass(frozen=True)
class Exchange:
    """An exchange as its file describes it; dates as ISO strings.

    `library`: its name in exchange_calendars. `days_of`: the exchange whose days it has. `hours`: from which day on, in
    local time. `closed`, `opened`, `special`: corrections, against the library and by the day.
    """

    title: str
    timezone: str
    library: str
    first: str
    last: str
    hours: dict[str, str]
    days_of: str = ""
    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    special: dict[str, str] = field(default_factory=dict)


# The hours of today, which the library has for all years.
CHINA_HOURS = "09:30-11:30 13:00-15:00"

# `last`: the last day whose holidays are published. The Shanghai Stock Exchange announces a year each December.
XSHG = Exchange(
    "Shanghai Stock Exchange",
    "Asia/Shanghai",
    "XSHG",
    "1990-12-19",  # the first day of trading; the library begins on 1990-12-03
    "2026-12-31",
    {"1990-12-19": CHINA_HOURS},
)
XSHE = Exchange(
    "Shenzhen Stock Exchange",
    "Asia/Shanghai",
    "XSHG",
    "1991-07-03",  # its formal opening, after seven months of trial
    XSHG.last,
    {"1991-07-03": CHINA_HOURS},
    days_of="XSHG",
)

XHKG = Exchange(
    "Hong Kong Stock Exchange",
    "Asia/Hong_Kong",
    "XHKG",
    "1990-01-01",
    "2027-12-31",  # HKEX circular MO/DT/133/26 lists the holidays and half days of 2027
    {
        # HKEX news releases of 2010-11-23 and 2012-03-01 name the old hours, and both dates of the new ones.
        "1990-01-01": "10:00-12:30 14:30-16:00",
        "2011-03-07": "09:30-12:00 13:30-16:00",
        "2012-03-05": "09:30-12:00 13:00-16:00",
    },
    closed=(
        # The third day of the Lunar New Year was a Sunday, for which the day before the first was a holiday until 2010
        # (General Holidays Ordinance, before the amendment of 2011).
        "1991-02-14",
        "1997-02-06",
        # The day following the Mid-Autumn Festival; the library moves it as if National Day had been a holiday before 1997.
        "1993-10-01",
        # HKEX market communications: no trading because of Typhoon Saola, and of the black rainstorm warning.
        "2023-09-01",
        "2023-09-08",
    ),
    opened=(
        # The Buddha's Birthday is a general holiday since 1999 (South China Morning Post, 1997-11-19).
        *("1990-05-02", "1991-05-21", "1992-05-11", "1993-05-28", "1994-05-18"),
        *("1995-05-08", "1996-05-24", "1997-05-14", "1998-05-04"),
    ),
    special={
        # Typhoon signal No. 8 or a black rainstorm warning ended trading 15 minutes after it was raised, or cancelled the
        # morning. Since 2024-09-23 trading continues in any weather (HKEX news release of 2024-09-16).
        "2007-08-10": "10:00-12:30 14:30-14:45",  # Pabuk: Eastday, 2007-08-11
        "2008-06-25": "14:30-16:00",  # Fengshen: HKEX news release of that day
        "2009-09-15": "14:30-16:00",  # Koppu: no morning, by a comment in exchange_calendars
        "2012-07-24": "13:00-16:00",  # Vicente: Bloomberg and Reuters of that day
        "2013-05-22": "13:00-16:00",  # black rainstorm: Bloomberg of that day
        "2013-09-23": "13:00-16:00",  # Usagi: Reuters of that day
        "2014-09-16": "13:00-16:00",  # Kalmaegi: Bloomberg of that day
        "2019-07-31": "09:30-12:00 13:00-13:55",  # Wipha: Straits Times, 2019-08-01
        "2020-08-19": "13:30-16:00",  # Higos: HKEX market communication of that day
        "2021-06-28": "13:30-16:00",  # black rainstorm: HKEX market communication of that day
        "2022-08-25": "13:00-16:00",  # Ma-on: HKEX, by Investing.com of that day
        "2022-11-02": "09:30-12:00 13:00-13:55",  # Nalgae: HKEX, by Xinhua of that day
        "2023-10-09": "14:00-16:00",  # Koinu: HKEX, by Dow Jones of that day
    },
)

US_HOURS = "09:30-16:00"
XNYS = Exchange(
    "New York Stock Exchange",
    "America/New_York",
    "XNYS",
    "1990-01-01",
    "2028-12-31",  # NYSE Group, 2025-12-23: holidays and early closings of 2026, 2027 and 2028
    {"1990-01-01": US_HOURS},
    special={
        # Unplanned ones, by the exchange's list of special closings; its silences of one to three minutes are left out.
        "1994-02-11": "09:30-14:30",  # snow
        "1995-12-18": "10:30-16:00",  # computers
        "1996-01-08": "11:00-14:00",  # snow
        "1997-10-27": "09:30-15:30",  # the price limits of that time
        "2002-09-11": "12:00-16:00",  # memorial services: ABC News of that day
        "2005-06-01": "09:30-15:56",  # computers: Washington Post, 2005-06-02
    },
)
XNAS = Exchange(
    "Nasdaq Stock Market",
    "America/New_York",
    "XNAS",
    XNYS.first,
    XNYS.last,  # the markets of shares in the United States have the same holidays
    {"1990-01-01": US_HOURS},
    days_of="XNYS",
)

TOKYO_MORNING = "09:00-11:00"
XTKS = Exchange(
    "Tokyo Stock Exchange",
    "Asia/Tokyo",
    "XTKS",
    "1997-01-01",  # the library begins here
    "2027-12-31",  # the Cabinet Office announces the equinoxes of a year in the February before it
    {
        "1997-01-01": "09:00-11:00 12:30-15:00",
        # A shorter afternoon to spare the computers: ITmedia, 2006-01-18, and BCN, 2006-04-20.
        "2006-01-19": "09:00-11:00 13:00-15:00",
        "2006-04-24": "09:00-11:00 12:30-15:00",
        "2011-11-21": "09:00-11:30 12:30-15:00",  # Mainichi of that day
        "2024-11-05": "09:00-11:30 12:30-15:30",  # as in the library
    },
    opened=("1998-05-06",),  # the substitute of a Sunday was the Monday, 4 May, until the law changed in 2007
    special={
        # The first and the last session of a year had no afternoon until 2009-01-05 (Rakuten Securities, 2009-12-30).
        **dict.fromkeys(("1997-01-06", "1997-12-30", "1998-01-05", "1998-12-30", "1999-01-04"), TOKYO_MORNING),
        **dict.fromkeys(("1999-12-30", "2000-01-04", "2000-12-29", "2001-01-04", "2001-12-28"), TOKYO_MORNING),
        **dict.fromkeys(("2002-01-04", "2002-12-30", "2003-01-06", "2003-12-30", "2004-01-05"), TOKYO_MORNING),
        **dict.fromkeys(("2004-12-30", "2005-01-04", "2005-12-30", "2006-01-04", "2006-12-29"), TOKYO_MORNING),
        **dict.fromkeys(("2007-01-04", "2007-12-28", "2008-01-04", "2008-12-30", "2009-01-05"), TOKYO_MORNING),
        "2005-11-01": "13:30-15:00",  # computers: Yomiuri, 2005-11-01
        "2006-01-18": "09:00-11:00 12:30-14:40",  # computers: ITmedia of that day
    },
)

EXCHANGES = {"XSHG": XSHG, "XSHE": XSHE, "XHKG": XHKG, "XNYS": XNYS, "XNAS": XNAS, "XTKS": XTKS}
WORK_YEARS = (2004, 2026)  # all that chinesecalendar knows


def main(folder: Path) -> None:
    """Write all files into a folder."""
    files = {name: exchange_file(name, exchange) for name, exchange in EXCHANGES.items()}
    files["CN"] = work_days_file()
    for name, content in files.items():
        (folder / f"{name}.json").write_text(as_text(content), "utf-8")


def exchange_file(name: str, exchange: Exchange) -> dict[str, object]:
    """What the file of an exchange says."""
    first, last = date.fromisoformat(exchange.first), date.fromisoformat(exchange.last)
    library = exchange_calendars.get_calendar(exchange.library, start=exchange.first, end=exchange.last)
    sessions = {stamp.date() for stamp in library.sessions} | dates(exchange.opened)
    sessions -= dates(exchange.closed)
    special = {}
    for stamp in library.early_closes:
        close = library.session_close(stamp).tz_convert(exchange.timezone).strftime("%H:%M")
        special[stamp.date()] = until(close, hours_on(stamp.date(), exchange.hours))
    special |= {date.fromisoformat(day): hours for day, hours in exchange.special.items()}
    if strangers := special.keys() - sessions:
        raise ValueError(f"{name}: hours of days without a session: {sorted(map(str, strangers))}")
    return {
        "calendar": name,
        "kind": "exchange",
        "title": exchange.title,
        "timezone": exchange.timezone,
        "first": exchange.first,
        "last": exchange.last,
        "source": source("exchange_calendars"),
        **({"days_of": exchange.days_of} if exchange.days_of else days(sessions, first, last)),
        "hours": exchange.hours,
        "special": {
            hours: packed((day for day in special if special[day] == hours), set())
            for hours in sorted({*special.values()})
        },
    }


def work_days_file() -> dict[str, object]:
    """What the file of China's work days says."""
    first, last = date(WORK_YEARS[0], 1, 1), date(WORK_YEARS[1], 12, 31)
    work = {day for day in span(first, last) if chinese_calendar.is_workday(day)}
    return {
        "calendar": "CN",
        "kind": "workday",
        "title": "Work days in China, with make-up weekends",
        "timezone": "Asia/Shanghai",
        "first": str(first),
        "last": str(last),
        "source": source("chinesecalendar"),
        **days(work, first, last),
    }


def source(package: str) -> str:
    """A library with its version."""
    return f"{package} {version(package)}"


def dates(texts: Iterable[str]) -> Days:
    """Days of ISO strings."""
    return {date.fromisoformat(text) for text in texts}


def span(first: date, last: date) -> list[date]:
    """All days, with both ends."""
    return [first + timedelta(number) for number in range((last - first).days + 1)]


def hours_on(day: date, hours: dict[str, str]) -> str:
    """The hours that hold on a day."""
    return hours[max(since for since in hours if since <= str(day))]


def until(close: str, hours: str) -> str:
    """Hours that end early, at `close`."""
    parts = [part.split("-") for part in hours.split()]
    return " ".join(f"{begin}-{min(end, close)}" for begin, end in parts if begin < close)


def days(sessions: Days, first: date, last: date) -> dict[str, object]:
    """The days, as what differs from the working week."""
    week = {day for day in span(first, last) if day.isoweekday() <= 5}
    weekend = set(span(first, last)) - week
    return {"weekdays": "12345", "closed": packed(week - sessions, weekend), "open": packed(sessions - week, set())}


def packed(those: Iterable[date], between: Days) -> ByYear:
    """Days by year as `MMDD` and `MMDD-MMDD`; a range may run over days of `between`, which say nothing by themselves."""
    runs: list[list[date]] = []
    for day in sorted(those):
        gap = span(runs[-1][-1] + timedelta(1), day - timedelta(1)) if runs else []
        if runs and day.year == runs[-1][-1].year and between.issuperset(gap):
            runs[-1].append(day)
        else:
            runs.append([day])
    years: dict[str, list[str]] = {}
    for run in runs:
        begin, end = f"{run[0]:%m%d}", f"{run[-1]:%m%d}"
        years.setdefault(f"{run[0]:%Y}", []).append(begin if begin == end else f"{begin}-{end}")
    return {year: " ".join(words) for year, words in years.items()}


def as_text(content: dict[str, object]) -> str:
    """JSON with a line for each year, and without what is empty."""
    return json.dumps({key: value for key, value in content.items() if value}, indent=1) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
