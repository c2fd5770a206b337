"""`expect_by` in a file: what it may say, for which dates it means what instant, and each fault in a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from qflowd.calendars.expected_dates import Expectation, day_judged_by, expected_after, is_expected
from qflowd.define import workflow_file
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Schedule

NIGHTLY = 'schedule: {cron: "0 6 * * 1-5", timezone: Asia/Shanghai}'
FRIDAY = date(2026, 11, 20)


def text(*lines: str) -> str:
    return "\n".join(["workflow: w", *lines, "tasks: {a: {job: work}}", ""])


def dates(what: Expectation, day: date, count: int) -> list[str]:
    """The next dates after a day, each with the UTC instant by which its run is expected."""
    found = []
    for _ in range(count):
        coming = expected_after(what, day)
        assert coming is not None
        found.append(f"{coming.day:%d}: {coming.at:%d %H:%M}")
        day = coming.day
    return found


@pytest.mark.parametrize(
    ("more", "written", "read"),
    [
        ("calendar: XSHG", "close+2h", "close+2h"),
        ("calendar: XSHG", "18:30", "18:30 Asia/Shanghai"),
        ("calendar: XNYS", "08:15+1d Asia/Shanghai", "08:15+1d Asia/Shanghai"),
        (NIGHTLY, "8:15 + 1d", "08:15+1d Asia/Shanghai"),
        ("schedule: {calendar: XSHG, at: close+30m}", "close + 2h", "close + 2h"),
    ],
)
def test_it_is_read_with_the_zone_that_nobody_wrote_and_written_back(more: str, written: str, read: str) -> None:
    found = workflow_file.parse(text(more, f"expect_by: {written}"), "yaml", "w.yaml")
    assert (found.expect_by, dump(found)["expect_by"]) == (read, read)


def test_a_builder_says_it_as_well() -> None:
    built = WorkflowBuilder("w").with_task(TaskBuilder("a", "work")).with_calendar("XSHG").with_expectation("close+2h")
    assert built.build().expect_by == "close+2h"


@pytest.mark.parametrize(
    ("more", "written", "fault"),
    [
        (
            "calendar: XSHG",
            "close+24h",
            "w.yaml:3: expect_by: 'close+24h' leaves the session: an offset is less than 24h",
        ),
        (
            "calendar: XSHG",
            "soon",
            "'soon' is not a time by which anything is expected; write it like close+2h, 18:30, or",
        ),
        ("calendar: XSHG", "24:10", "'24:10' is not a time of day; hours end with 23"),
        ("calendar: XSHG", "08:15+9d", "'08:15+9d' is 9 days after its date; at most 7 are allowed"),
        ("calendar: XSHG", "08:15 Mars/Base", "'Mars/Base' is not a time zone"),
        ("calendar: CN", "close+2h", "is a time of a session, and CN has days without hours; write a time of day"),
        ("calendar: XSHG", "night_close+2h", "is a time of night sessions, and XSHG has none"),
        ("title: t", "18:30", "needs a calendar or a schedule beside it: without one, no date is expected"),
        (NIGHTLY, "close+2h", "is a time of a session: give the workflow a calendar, or write a time of day"),
        (
            "calendar: XSHG\ndeadline: close+1h",
            "close+2h",
            "deadline: is not after expect_by, close+2h: what is late is stopped",
        ),
        (NIGHTLY, "05:00", "is before the workflow begins (0 6 * * 1-5 Asia/Shanghai), so each run would be late"),
        ("schedule: {calendar: XSHG, at: close+3h}", "close+2h", "is before the workflow begins (close+3h of XSHG)"),
        (
            'schedules: {a: "0 1 * * *", b: {cron: "0 2 * * *", timezone: Asia/Tokyo}}',
            "05:00",
            "needs a time zone, as its schedules have several: write it like 05:00 Asia/Tokyo",
        ),
    ],
)
def test_what_cannot_be_expected_is_a_fault_with_file_and_line(more: str, written: str, fault: str) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        workflow_file.parse(text(more, f"expect_by: {written}"), "yaml", "w.yaml")
    assert fault in str(refused.value)
    assert "w.yaml:3: " in str(refused.value)


def test_times_of_sessions_follow_half_days() -> None:
    day = date(2026, 12, 22)
    assert dates(Expectation("close+2h", "XHKG"), day, 3) == ["23: 23 10:00", "24: 24 06:00", "28: 28 10:00"]
    assert dates(Expectation("08:15+1d Asia/Shanghai", "XNYS"), FRIDAY, 2) == ["23: 24 00:15", "24: 25 00:15"]


def test_schedules_say_for_which_dates_runs_are_expected() -> None:
    weekly = Schedule("0 18 * * 5", "Asia/Shanghai", calendar="XSHG")
    assert dates(Expectation("close+5h", "XSHG", (weekly,)), FRIDAY, 2) == ["27: 27 12:00", "04: 04 12:00"]
    both = Schedule("*/5 * * * *", "UTC", calendar="SHFE.rb", window="21:00-23:00"), Schedule("0 4 1 * *", "UTC")
    assert dates(Expectation("10:00 UTC", "", both), date(2026, 11, 26), 4) == [
        "27: 27 10:00", "30: 30 10:00", "01: 01 10:00", "02: 02 10:00",
    ]  # fmt: skip


def test_what_fires_on_an_evening_before_days_that_are_none_is_for_the_session_after_them() -> None:
    night = Schedule("", "UTC", calendar="SHFE.rb", at="night_open+15m")
    sunday, monday = date(2026, 11, 22), date(2026, 11, 23)
    alone = Expectation("close+1h", "SHFE.rb", (night,))
    assert (is_expected(alone, sunday), is_expected(alone, monday)) == (False, True)
    both = Expectation("20:00 Asia/Shanghai", "", (night, Schedule("0 18 * * 0", "Asia/Shanghai")))
    assert [each[:2] for each in dates(both, date(2026, 11, 19), 4)] == ["20", "22", "23", "24"]
    window = Schedule("*/5 * * * *", "UTC", calendar="SHFE.rb", window="21:00-23:00")
    with_saturday = Expectation("20:00 Asia/Shanghai", "", (window, Schedule("0 18 * * 6", "Asia/Shanghai")))
    assert [each[:2] for each in dates(with_saturday, date(2026, 11, 19), 4)] == ["20", "21", "23", "24"]


def test_what_is_expected_ends_with_the_calendar() -> None:
    what = Expectation("close+2h", "XSHG")
    assert expected_after(what, date(2099, 1, 1)) is None
    assert not is_expected(what, date(2099, 1, 1))


def test_the_first_look_is_at_what_comes() -> None:
    what, close = Expectation("close+2h", "XSHG"), datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert day_judged_by(what, close) == FRIDAY
    assert day_judged_by(what, close - timedelta(seconds=1)) == date(2026, 11, 19)
