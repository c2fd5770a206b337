"""`qflowd gaps`: sessions without a good run, for people and programs, with an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from unittest.mock import patch

import pytest

from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars.session_rows import SessionRows
from tests.cli.conftest import Run
from tests.conftest import GetServer
from tests.support.clock import BEIJING
from tests.support.lab import FAILED, Lab


@pytest.fixture
def lab(get_server: GetServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A store that commands find by the environment, with a workflow that goes by sessions."""
    server = get_server("sqlite")
    url = server.create_store()
    monkeypatch.setenv("QFLOWD_DATABASE_URL", url)
    lab = Lab(url)
    lab.workflow("bars", {"a": []}, calendar="XSHG")
    lab.workflow("any_day", {"a": []})
    service = SessionRows(lab.store)
    while not service.tick():
        pass
    yield lab
    lab.close()
    server.start().give_back(url)


def test_gaps_are_listed_with_what_is_there_and_the_exit_code_says_whether_there_are_any(run: Run, lab: Lab) -> None:
    lab.start("bars", business_date="2024-11-18")
    lab.run()
    failed = lab.start("bars", business_date="2024-11-20")
    lab.run({"a": FAILED})
    found = run("gaps", "bars", "--to", "2024-11-20")
    lines = [line.split() for line in found.out.splitlines()]
    assert (found.code, lines[1:]) == (1, [["2024-11-19", "nothing"], ["2024-11-20", "FAILED", str(failed)]])
    assert run("gaps", "bars", "--to", "2024-11-19", "--json").json == [
        {"business_date": "2024-11-19", "state": None, "instance_id": None}
    ]
    whole = run("gaps", "bars", "--to", "2024-11-18")
    since = "; they count from its first run for a date, or from --from"
    assert (whole.code, whole.err) == (0, f"workflow bars has no gaps{since}\n")


def test_what_has_no_gaps_to_tell_is_an_error(run: Run, lab: Lab) -> None:
    assert "workflow 'any_day' has no calendar" in run("gaps", "any_day").err
    assert "there is no workflow 'bar'; did you mean bars?" in run("gaps", "bar").err
    assert "'soon' is not a date" in run("gaps", "bars", "--from", "soon").err


def test_gaps_are_filled_by_a_backfill_of_what_is_missing(run: Run, lab: Lab) -> None:
    for day in (18, 20):
        lab.start("bars", business_date=f"2024-11-{day}")
    lab.run()
    how = ("--max-active", 2, "--order", "newest", "--priority", 5)
    assert "is said with --fill alone" in run("gaps", "bars", *how).err
    assert run("gaps", "bars", "--to", "2024-11-21", "--fill", *how, "--no-wait").code == 0
    lab.commands.tick()
    dates = lab.sql("SELECT business_date FROM qflow.backfill_dates ORDER BY place")
    assert [str(day) for (day,) in dates] == ["2024-11-21", "2024-11-19"]
    assert lab.sql("SELECT max_active, priority, date_order FROM qflow.backfills") == [(2, 5, "newest")]
    assert (
        run("gaps", "bars", "--from", "2024-11-18", "--to", "2024-11-18", "--fill").err == "workflow bars has no gaps\n"
    )


def test_gaps_of_some_sessions_alone_are_not_filled_by_a_backfill_of_all(run: Run, lab: Lab) -> None:
    schedule = {"at": "close+30m", "days": "last session of month"}
    lab.workflow("month_end", {"a": []}, calendar="XSHG", schedule=schedule)
    lab.start("month_end", business_date="2024-08-30")
    lab.run()
    service = SessionRows(lab.store)
    while not service.tick():
        pass
    refused = run("gaps", "month_end", "--to", "2024-10-31", "--fill")
    assert (refused.code, "is for some sessions alone (last session of month)" in refused.err) == (2, True)


def test_a_submission_is_for_the_session_that_is_on_or_the_last_that_is_over(run: Run, lab: Lab) -> None:
    for now, today, last in (
        (datetime(2026, 11, 20, 10, tzinfo=BEIJING), "2026-11-20", "2026-11-19"),
        (datetime(2026, 11, 20, 16, tzinfo=BEIJING), "2026-11-20", "2026-11-20"),
        (datetime(2026, 11, 22, 10, tzinfo=BEIJING), None, "2026-11-20"),  # a Sunday
    ):
        for word, day in (("today", today), ("last", last)):
            with patch.object(DatabaseTransport, "now", return_value=now):
                ran = run("submit", "bars", "--business-date", word)
            if day is None:
                assert "XSHG has no session today; --business-date last is" in ran.err
            else:
                [(found,)] = lab.sql(f"SELECT business_date FROM qflow.submissions WHERE id = {int(ran.out)}")
                assert str(found) == day
    assert "workflow 'any_day' has no calendar" in run("submit", "any_day", "--business-date", "last").err
    assert "of a job write the date" in run("submit", "--job", "work", "--business-date", "today").err


def test_a_date_that_is_not_a_session_is_taken_and_said_to_be_none(run: Run, lab: Lab) -> None:
    ran = run("submit", "bars", "--business-date", "2024-11-23")  # a Saturday
    assert (ran.code, ran.err) == (
        0,
        "qflowd: warning: 2024-11-23 is not a session of XSHG, the calendar of bars; 2024-11-22 and 2024-11-25 are\n",
    )
    assert lab.sql(f"SELECT COUNT(*) FROM qflow.submissions WHERE id = {int(ran.out)}") == [(1,)]
    assert "is not a session" in run("submit", "bars", "--business-date", "2024-11-23", "--json").err
    for workflow, day in (
        ("bars", "2024-11-22"),
        ("bars", "2999-01-01"),
        ("any_day", "2024-11-23"),
        ("bar", "2024-11-23"),
    ):
        assert (run("submit", workflow, "--business-date", day).err, run("submit", workflow).err) == ("", "")


def test_submitting_for_a_date_again_needs_a_flag(run: Run, lab: Lab) -> None:
    asked = ("submit", "bars", "--business-date", "2024-11-18")
    numbers = [int(run(*asked, *flag).out) for flag in ((), (), ("--allow-duplicates",))]
    while not lab.admit.tick():
        pass
    states = lab.sql("SELECT state FROM qflow.submissions ORDER BY id")
    assert (len(numbers), [state for (state,) in states]) == (3, ["ACCEPTED", "REJECTED", "ACCEPTED"])
