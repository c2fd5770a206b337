"""Overriding days of calendars on the command line: what is asked and shown, and that all commands know it afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from qflowd.cli.calendar_changes import outcome
from qflowd.cli.database_checks import CHECKS
from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.engine.calendars.calendar_books import CalendarBooks, load_book
from tests.cli.conftest import Run
from tests.conftest import KINDS, GetServer
from tests.support.lab import Lab

OVERRIDE = ("calendars", "override", "XHKG", "2026-11-24", "half", "--close", "12:00", "--reason", "typhoon")


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Lab]:
    """A store on each database, shared by the tests of this module."""
    server = get_server(request.param)
    lab = Lab(server.create_store())
    yield lab
    lab.close()
    server.start().give_back(lab.url)


@pytest.fixture
def lab(kept: Lab, run: Run, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The store, empty, as commands find it by the environment; its daemon answers when it is told to."""
    kept.wipe()
    kept.plans.calendars = CalendarBooks()
    monkeypatch.setenv("QFLOWD_DATABASE_URL", kept.url)
    return kept


def test_an_overridden_day_is_known_to_all_commands(run: Run, lab: Lab) -> None:
    assert run(*OVERRIDE, "--no-wait").out == "override XHKG 2026-11-24: asked\n"
    lab.commands.tick()
    [row] = run("calendars", "overrides", "XHKG", "--json").json
    assert [row[key] for key in ("day", "kind", "hours", "reason")] == ["2026-11-24", "half", "09:30-12:00", "typhoon"]
    shown = run("calendars", "show", "XHKG", "--year", 2026).out
    assert "h      09:30-12:00  on 2026-11-24 Tue\n" in shown
    assert f"overridden  2026-11-24 Tue  half 09:30-12:00: typhoon, by {row['set_by']}\n" in shown
    [session] = run("calendars", "next", "XHKG", "--after", "2026-11-23", "-n", 1, "--json").json
    assert (session["is_half"], session["close_at"]) == (True, "2026-11-24T04:00:00Z")
    assert run("calendars", "is-open", "XHKG", "--at", "2026-11-24T14:00+08:00").code == 1
    run("calendars", "restore", "XHKG", "2026-11-24", "--no-wait")
    lab.commands.tick()
    assert run("calendars", "is-open", "XHKG", "--at", "2026-11-24T14:00+08:00").code == 0
    assert run("calendars", "overrides", "XHKG").err == "no day is overridden; `qflowd calendars override` does it\n"


def test_a_schedule_is_previewed_by_the_calendar_as_it_is(run: Run, lab: Lab) -> None:
    schedule = {"at": "close+30m", "calendar": "XHKG"}
    lab.define("daily", {"a": {"job": "work"}}, schedule=schedule)
    fires = run("plan", "daily", "--json").json["next_fires"]
    day = fires[0]["business_date"]
    run("calendars", "override", "XHKG", day, "closed", "--reason", "typhoon", "--no-wait")
    lab.commands.tick()
    assert run("plan", "daily", "--json").json["next_fires"][0] == fires[1]


def test_next_fires_that_end_with_their_calendar_say_so(run: Run, lab: Lab) -> None:
    now = lab.clock.time = datetime.now(UTC)
    last = {"first": "2020-01-01", "last": str((now + timedelta(days=5)).date())}
    document = {"calendar": "SHORT", "kind": "workday", "timezone": "UTC", "weekdays": "1234567"} | last
    lab.command("import_calendar", args=json.dumps({"document": document}))
    with knowing(TenantToo(lambda: lab.store.read(lambda tx: load_book(tx, "default")))):
        lab.define("daily", {"a": {"job": "work"}}, schedule={"cron": "0 12 * * *", "calendar": "SHORT"})
    many, few = (run("schedules", "next", "daily", "-n", most) for most in (9, 2))
    assert (len(many.out.splitlines()) in (6, 7), "no more are known" in many.err) == (True, True)  # and the titles
    assert (len(few.out.splitlines()), few.err) == (3, "")
    assert run("schedules", "next", "daily", "-n", 9, "--json").err == ""


def test_calendars_near_their_horizon_are_marked_and_doctor_warns_of_those_in_use(run: Run, lab: Lab) -> None:
    now = lab.clock.time = datetime.now(UTC)
    for name, left in {"NEAR": 44, "EDGE": 45, "FAR": 46, "PAST": -3}.items():
        file = {"calendar": name, "kind": "workday", "timezone": "UTC", "first": "2020-01-01"}
        document = file | {"last": str((now + timedelta(days=left)).date())}
        lab.command("import_calendar", args=json.dumps({"document": document}))
    marks = {line.split()[0]: "!" in line.split() for line in run("calendars").out.splitlines()[1:]}
    assert {name: marks[name] for name in ("EDGE", "FAR", "NEAR", "PAST")} == {
        "EDGE": True, "FAR": False, "NEAR": True, "PAST": True,
    }  # fmt: skip
    assert list(CHECKS["calendars"](lab.store)) == []
    with knowing(TenantToo(lambda: lab.store.read(lambda tx: load_book(tx, "default")))):
        lab.define("a", {"a": {"job": "work"}}, calendar="FAR")
        [found] = CHECKS["calendars"](lab.store)
        assert (found.level, found.message) == ("ok", "those in use, 1, are known for more than 45 days from now")
        lab.define("b", {"a": {"job": "work"}}, calendar="PAST")
        lab.define("c", {"a": {"job": "work"}}, schedule={"cron": "0 9 * * *", "calendar": "FAR & NEAR"})
    found = list(CHECKS["calendars"](lab.store))
    assert {each.level for each in found} == {"warning"}
    assert [each.message.partition(" of ")[2].partition(",")[0] for each in found] == ["PAST", "FAR & NEAR"]
    assert found[0].message.startswith(f"nothing is known after {now.date() - timedelta(days=3)} of PAST, which")


def test_a_list_of_days_is_imported_and_named_in_workflows(run: Run, lab: Lab, tmp_path: Path) -> None:
    file, workflow = tmp_path / "desk.csv", tmp_path / "w.yaml"
    file.write_text("\ufeffday,hours\n2026-12-01,09:00-12:00\n2026-12-03,09:00-12:00\n", "utf-8")
    workflow.write_text("workflow: w\nschedule: {at: close, calendar: desk & XSHG}\ntasks: {a: {job: work}}\n", "utf-8")
    assert "there is no calendar 'desk'" in run("validate", workflow).out
    assert "which needs --timezone, such as Asia/Shanghai" in run("calendars", "import", file).err
    run("calendars", "import", file, "--timezone", "Asia/Shanghai", "--last", "2026-12-31", "--no-wait")
    lab.commands.tick()
    assert "all of these ship" not in run("calendars").err
    [row] = [row for row in run("calendars", "--json").json if row["name"] == "desk"]
    assert (row["first"], row["last"], row["hours"]) == ("2026-12-01", "2026-12-31", "09:00-12:00")
    found = run("calendars", "next", "desk & XSHG", "--after", "2026-12-01", "-n", 1, "--json").json
    assert found[0]["close_at"] == "2026-12-03T04:00:00Z"
    assert (
        "until 2026-12-31; what comes after is not known yet; import it anew"
        in run("calendars", "next", "desk", "--after", "2026-12-01").err
    )
    assert "there is no calendar" not in run("validate", workflow).out
    run("calendars", "remove", "desk", "--no-wait")
    lab.commands.tick()
    assert "there is no calendar 'desk'" in run("calendars", "show", "desk").err


def test_a_year_of_a_short_list_shows_what_is_closed_and_what_is_not_known(run: Run, lab: Lab) -> None:
    today = datetime.now(UTC).date()
    monday = date(today.year, 3, 1) + timedelta(days=-date(today.year, 3, 1).weekday() % 7)
    days = [monday + timedelta(days=number) for number in (0, 1, 3, 4, 7)]
    args = {"calendar": "desk", "timezone": "Asia/Shanghai", "csv": "".join(f"{day}\n" for day in days)}
    lab.command("import_calendar", args=json.dumps(args))
    shown = run("calendars", "show", "desk")
    assert shown.code == 0, shown.err
    counts = dict(line.split()[:2] for line in shown.out.splitlines() if line[:3] in ("o  ", "-  ", ".  ", "?  "))
    year = (date(today.year + 1, 1, 1) - date(today.year, 1, 1)).days
    assert counts == {"o": "5", "-": "1", ".": "2", "?": str(year - 8)}
    assert "  not known: before the first day of the calendar, or past its horizon\n" in shown.out


@pytest.mark.parametrize(
    ("name", "written", "options", "error"),
    [
        ("desk.csv", "day,hours\n2026-12-01,09:00-08:30\n", (), "desk.csv: line 2: '09:00-08:30' does not end after"),
        (
            "desk.csv",
            "2026-12-01\n",
            ("--last", "2026-11-01"),
            "desk.csv: the list has days before 2026-12-01 or after",
        ),
        ("XHKG.csv", "2026-12-01\n", (), "XHKG.csv: calendar XHKG ships with qflowd; choose another name"),
        ("desk.json", '{"calendar": "DESK",\n]', (), "desk.json: the document is not valid JSON: "),
        ("desk.json", '{"calendar": "DESK", "kind": "workday"}', (), "desk.json: a calendar's document: "),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_sent(
    run: Run, lab: Lab, tmp_path: Path, name: str, written: str, options: tuple[str, ...], error: str
) -> None:
    file = tmp_path / name
    file.write_text(written, "utf-8")
    ran = run("calendars", "import", file, "--timezone", "Asia/Shanghai", *options)
    assert (ran.code, f"{tmp_path}/{error}" in ran.err) == (2, True), ran.err
    assert lab.sql("SELECT COUNT(*) FROM qflow.commands") == [(0,)]


def test_the_answer_is_true_of_next_fires_and_of_those_that_come_later(run: Run, lab: Lab) -> None:
    lab.clock.time = datetime.now(UTC)
    lab.define("daily", {"a": {"job": "work"}}, schedule={"at": "close+30m", "calendar": "XHKG"})
    first, later = (fire["business_date"] for fire in run("plan", "daily", "--json").json["next_fires"][:2])
    said = []
    for day in (later, first):
        state, result = lab.command(
            "override_day", args=json.dumps({"calendar": "XHKG", "day": day, "kind": "closed"}), reason="typhoon"
        )
        assert state == "DONE"
        said.append(outcome(result))
    after = "is planned anew; later ones go by the calendar as it is now"
    assert said == [f"closed; no schedule's next fire {after}", f"closed; the next fire of 1 schedule {after}"]
    assert not {first, later} & {fire["business_date"] for fire in run("plan", "daily", "--json").json["next_fires"]}
