"""`qflowd calendars`: lists, years, next sessions, open or closed; without a database."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

import qflowd
from tests.cli.conftest import Run

TERMINAL = 80


def test_the_list_says_what_each_calendar_is_and_how_long_it_is_known(run: Run) -> None:
    ran = run("calendars", "--json")
    assert ran.code == 0
    rows = {row["name"]: row for row in ran.json}
    assert list(rows) == sorted(rows)
    shanghai, futures, china = rows["XSHG"], rows["SHFE"], rows["CN"]
    assert (shanghai["kind"], shanghai["timezone"]) == ("exchange", "Asia/Shanghai")
    assert (shanghai["hours"], shanghai["night"]) == ("09:30-11:30 13:00-15:00", None)
    assert shanghai["last"] == str(qflowd.calendar("XSHG").last)
    assert {"ag", "rb"} <= set(futures["products"])
    assert futures["night"] == "21:00-02:30"
    assert (china["kind"], china["hours"], china["products"]) == ("workday", None, [])
    lines = run("calendars").out.splitlines()
    assert lines[0].startswith("NAME   KIND")
    assert [line.split()[0] for line in lines[1:]] == list(rows)
    [line] = [line for line in lines if line.startswith("SHFE ")]
    assert line.endswith(f"  {len(futures['products'])}")


def test_where_there_are_no_own_calendars_the_list_says_how_to_see_one_and_to_import(run: Run) -> None:
    [hint] = [line for line in run("calendars").err.splitlines() if line.startswith("all of these ship")]
    assert "`qflowd calendars show NAME`" in hint
    assert "`qflowd calendars import FILE`" in hint
    assert run("calendars", "--json").err == ""


def test_a_year_is_a_line_a_month_and_a_sign_a_day_with_a_legend(run: Run) -> None:
    lines = run("calendars", "show", "XHKG", "--year", 2024).out.splitlines()
    assert lines[0] == "XHKG  Hong Kong Stock Exchange, 2024: 246 sessions (Asia/Hong_Kong)"
    months = {line[:7]: line[9:71] for line in lines if line.startswith("2024-")}
    assert len(months) == 12
    signs = {name: text.split() for name, text in months.items()}
    assert len(signs["2024-02"]) == 29
    assert [signs["2024-02"][day - 1] for day in (8, 9, 10, 12, 13, 14)] == ["o", "h", ".", "-", "-", "o"]
    assert next(line for line in lines if line.startswith("2024-02")).endswith(" 19")
    legend = dict(match.groups() for line in lines if (match := re.match(r"([oh.-]) +(\d+)  \w", line)))
    counted = Counter(sign for month in signs.values() for sign in month)
    assert {sign: int(count) for sign, count in legend.items()} == counted
    assert counted["o"] + counted["h"] == 246
    assert "h      09:30-12:00  on 2024-12-24 Tue" in lines
    assert max(map(len, lines)) < TERMINAL


def test_a_year_as_json_is_a_list_of_sessions_with_their_hours_in_utc(run: Run) -> None:
    sessions = run("calendars", "show", "XSHG", "--year", 2025, "--json").json
    assert len(sessions) == 243
    assert sessions[0] == {
        "day": "2025-01-02",
        "open_at": "2025-01-02T01:30:00Z",
        "close_at": "2025-01-02T07:00:00Z",
        "breaks": [["2025-01-02T03:30:00Z", "2025-01-02T05:00:00Z"]],
        "night": None,
        "is_half": False,
    }
    half = {each["day"]: each for each in run("calendars", "show", "XNYS", "--year", 2026, "--json").json}["2026-11-27"]
    assert (half["is_half"], half["close_at"]) == (True, "2026-11-27T18:00:00Z")


def test_a_year_says_when_hours_changed_and_which_sessions_have_no_night(run: Run) -> None:
    tokyo = run("calendars", "show", "XTKS", "--year", 2024).out
    assert tokyo.endswith("hours  09:00-11:30 12:30-15:00\nhours  09:00-11:30 12:30-15:30  from 2024-11-05\n")
    lines = run("calendars", "show", "SHFE.ag", "--year", 2026).out.splitlines()
    [october] = [line for line in lines if line.startswith("2026-10")]
    assert october[9:71].split()[:9] == ["-", "-", ".", ".", "-", "-", "-", "d", "o"]
    assert "hours  night 21:00-02:30, 09:00-10:15 10:30-11:30 13:30-15:00" in lines


def test_a_futures_exchange_names_its_products(run: Run) -> None:
    shown = run("calendars", "show", "SHFE", "--year", 2026).out
    names = shown.partition("products  ")[2].partition("`")[0].split()
    assert names == next(row["products"] for row in run("calendars", "--json").json if row["name"] == "SHFE")
    assert "products" not in run("calendars", "show", "SHFE.rb", "--year", 2026).out


def test_work_days_on_weekends_have_a_sign_of_their_own(run: Run) -> None:
    shown = run("calendars", "show", "CN", "--year", 2026).out
    [february] = [line for line in shown.splitlines() if line.startswith("2026-02")]
    assert february[9:71].split()[13:15] == ["+", "."]
    assert "hours" not in shown.replace("other hours", "")


def test_days_that_a_calendar_does_not_know_are_shown_as_such(run: Run) -> None:
    first = qflowd.calendar("XSHG").first
    shown = run("calendars", "show", "XSHG", "--year", first.year).out
    unknown = (first - date(first.year, 1, 1)).days
    assert f"\n?  {unknown}  not known: before the first day of the calendar, or past its horizon\n" in shown


def test_this_year_of_the_exchange_is_shown_if_none_is_given(run: Run) -> None:
    tokyo = qflowd.calendar("XTKS")
    before, shown, after = datetime.now(UTC), run("calendars", "show", "XTKS").out, datetime.now(UTC)
    assert any(f"\n{tokyo.local(now).year}-12  " in shown for now in (before, after))


def test_next_sessions_have_their_hours_by_the_clocks_of_the_exchange_and_of_another_place(run: Run) -> None:
    asked = ("calendars", "next", "SHFE.ag", "--after", "2026-11-19", "-n", 2)
    assert run(*asked).out.splitlines() == [
        "SESSION         NIGHT (Asia/Shanghai)  HOURS (Asia/Shanghai)",
        "2026-11-20 Fri  11-19 Thu 21:00-02:30  09:00-10:15 10:30-11:30 13:30-15:00",
        "2026-11-23 Mon  11-20 Fri 21:00-02:30  09:00-10:15 10:30-11:30 13:30-15:00",
    ]
    head, first, _ = run("--timezone", "Europe/London", *asked).out.splitlines()
    assert "NIGHT OPENS (Europe/London)  OPENS (Europe/London)  CLOSES (Europe/London)" in head
    assert " ".join(first.split()[-6:]) == "2026-11-19 13:00:00 2026-11-20 01:00:00 2026-11-20 07:00:00"
    new_york = run("calendars", "next", "XNYS", "--after", "2026-11-25", "-n", 1).out
    assert new_york.splitlines()[1] == "2026-11-27 Fri  09:30-13:00               half day"


def test_next_sessions_are_those_that_have_not_ended_if_no_day_is_given(run: Run) -> None:
    new_york = qflowd.calendar("XNYS")

    def expected(now: datetime) -> str:
        day = new_york.next_session(new_york.local(now).date() - timedelta(days=1))
        close_at = new_york.session(day).close_at
        assert close_at is not None
        return str(day if now < close_at else new_york.next_session(day))

    before = expected(datetime.now(UTC))
    found = run("calendars", "next", "XNYS", "-n", 1, "--json").json[0]["day"]
    assert found in (before, expected(datetime.now(UTC)))


def test_next_sessions_end_at_the_horizon_and_say_so(run: Run) -> None:
    shanghai = qflowd.calendar("XSHG")
    known = [shanghai.prev_session(shanghai.last), shanghai.last]
    after = known[0] - timedelta(days=1)
    ran = run("calendars", "next", "XSHG", "--after", str(after), "--json")
    assert (ran.code, [row["day"] for row in ran.json]) == (1, list(map(str, known)))
    assert f"calendar XSHG knows 2 sessions after {after}, until {shanghai.last}; what comes after is not" in ran.err


@pytest.mark.parametrize(
    ("name", "at", "code", "sentence"),
    [
        ("XSHG", "2026-11-20T02:00Z", 0, "open until 2026-11-20 11:30: 2026-11-20 10:00 (Asia/Shanghai) .. 2026-11-20"),
        ("XSHG", "2026-11-20T12:00+08:00", 1, "closed until 2026-11-20 13:00: 2026-11-20 12:00 .. 2026-11-20"),
        ("XSHG", "2026-11-20T15:00+08:00", 1, "closed until 2026-11-23 09:30: 2026-11-20 15:00 .. 2026-11-20"),
        ("XSHG", "2026-11-21T10:00+08:00", 1, "closed until 2026-11-23 09:30: 2026-11-21 10:00 .. none"),
        ("SHFE.ag", "2026-11-20T20:59+08:00", 1, "closed until 2026-11-20 21:00: 2026-11-20 20:59 .. 2026-11-20"),
        ("SHFE.ag", "2026-11-20T21:05+08:00", 0, "open until 2026-11-21 02:30: 2026-11-20 21:05 .. 2026-11-23"),
        ("SHFE.ag", "2026-11-21T02:31+08:00", 1, "closed until 2026-11-23 09:00: 2026-11-21 02:31 .. none"),
        ("SHFE.ag", "2026-09-30T21:05+08:00", 1, "closed until 2026-10-08 09:00: 2026-09-30 21:05 .. none"),
    ],
)
def test_is_open_answers_in_a_sentence_and_by_its_exit_code(
    run: Run, name: str, at: str, code: int, sentence: str
) -> None:
    until, _, session = sentence.replace(" (Asia/Shanghai)", "").partition(" .. ")
    whose = "no session" if session == "none" else f"the session of {session}"
    ran = run("calendars", "is-open", name, "--at", at)
    assert (ran.code, ran.out) == (code, f"{name} is {until} (Asia/Shanghai) belongs to {whose}\n")


def test_is_open_speaks_in_the_zone_that_is_asked_for_and_as_json(run: Run) -> None:
    asked = ("calendars", "is-open", "XNYS", "--at", "2026-11-27T12:00-05:00")
    sentence = (
        "XNYS is open until 2026-11-28 02:00: 2026-11-28 01:00 (Asia/Shanghai) belongs to the session of 2026-11-27"
    )
    assert run("--timezone", "Asia/Shanghai", *asked).out == f"{sentence}\n"
    assert run(*asked, "--json").json == {
        "calendar": "XNYS",
        "at": "2026-11-27T17:00:00Z",
        "is_open": True,
        "session": "2026-11-27",
        "changes_at": "2026-11-27T18:00:00Z",
    }


def test_the_next_opening_past_the_horizon_is_not_guessed(run: Run) -> None:
    last = qflowd.calendar("XSHG").last
    ran = run("calendars", "is-open", "XSHG", "--at", f"{last}T22:00+08:00")
    assert ran.code == 1
    assert f"when it opens again is past {last}, its horizon; a newer release of qflowd may know more" in ran.out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ("show XSGH", 1, "there is no calendar 'XSGH'; did you mean XSHG?"),
        ("next SHFE.RB", 1, "there is no calendar 'SHFE.RB'; did you mean SHFE.rb?"),
        ("show XSHG.", 1, "there is no calendar 'XSHG.'; `qflowd calendars` lists those there are"),
        (
            "show XSHG --year 2049",
            1,
            "2049-01-01 is past that horizon; a newer release",
        ),
        ("next XSHG --after 2049-10-01", 1, "2049-10-01 is past that horizon"),
        ("next XSHG --after today", 2, "--after: 'today' is not a date; write it like 2026-11-20"),
        ("next XSHG -n 0", 2, "0 is not in the range x>=1"),
        ("is-open XSGH", 2, "there is no calendar 'XSGH'; did you mean XSHG?"),
        ("is-open XSHG --at noon", 2, "'noon' is not an instant; write it like 2026-11-20T09:30:00Z"),
        ("is-open XSHG --at 2049-10-01T02:00Z", 2, "calendar XSHG is known to "),
        ("is-open CN", 2, "CN has days without hours, so it is neither open nor closed; `qflowd calendars next CN`"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence_with_the_remedy(run: Run, args: str, code: int, message: str) -> None:
    ran = run("calendars", *args.split())
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
