"""Own calendars: imported as documents and lists of days, combined, removed; what goes by them, and what is refused."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.definitions.workflow_files import WorkflowFiles
from tests.support.clock import BEIJING
from tests.support.desk import Desk

MONDAY = datetime(2026, 11, 23, 8, tzinfo=BEIJING)
DAYS = "day,hours\n2026-11-23,09:00-12:00\n2026-11-25,09:00-12:00\n\n2026-11-28,10:00-11:00\n"
DESK = {
    "calendar": "DESK", "kind": "exchange", "timezone": "Asia/Shanghai", "first": "2026-11-01", "last": "2026-12-31",
    "hours": {"2026-11-01": "10:00-12:00"}, "closed": {"2026": "1124 1201-1204"}, "special": {"10:00-11:00": {"2026": "1130"}},
}  # fmt: skip


@pytest.fixture
def desk(lab):
    lab.clock.time = MONDAY.astimezone(UTC)
    desk = Desk(lab)
    desk.clock = lab.store.clock = lab.clock
    return desk


@pytest.fixture
def client(lab):
    return Client(DatabaseTransport(lab.store))


def imported(lab, document=None, **args):
    args = args if document is None else {"document": document, **args}
    return lab.command("import_calendar", args=json.dumps(args), requested_by="ann")


def of_list(lab, csv=DAYS, **args):
    return imported(lab, csv=csv, **{"calendar": "LIST", "timezone": "Asia/Shanghai"} | args)


def define(desk, schedule, **more):
    """Store a workflow that may name own calendars."""
    with knowing(TenantToo(lambda: desk.store.read(lambda tx: load_book(tx, "default")))):
        return desk.define(schedule, **more)


def beijing(at):
    return f"{at.astimezone(BEIJING):%m-%d %H:%M}"


def test_a_document_is_a_calendar_like_those_that_ship(lab, desk, client):
    state, result = imported(lab, DESK)
    assert (state, result["is_new"], result["moved"], result["first"], result["last"]) == (
        "DONE", True, 0, "2026-11-01", "2026-12-31",
    )  # fmt: skip
    calendar = client.calendar("DESK")
    assert result["sessions"] == len(calendar.sessions("2026-11-01", "2026-12-31"))
    assert [str(day) for day in calendar.sessions("2026-11-23", "2026-11-25")] == ["2026-11-23", "2026-11-25"]
    assert calendar.session("2026-11-30").is_half
    assert "DESK" in client.calendars().names()
    define(desk, "{at: close+30m, calendar: DESK}")
    assert [beijing(each["fire_at"]) for each in client.next_fires("daily", 3)] == [
        "11-23 12:30",
        "11-25 12:30",
        "11-26 12:30",
    ]
    changed = DESK | {"closed": {"2026": "1123-1125"}}
    assert imported(lab, changed)[1]["moved"] == 1
    assert beijing(desk.schedule().next_fire_at) == "11-26 12:30"
    desk.tick(desk.schedule().next_fire_at)
    assert [beijing(at) for at in desk.fires()] == ["11-26 12:30"]


def test_a_list_of_days_has_its_own_first_and_last_day(lab, client):
    state, result = of_list(lab, last="2026-12-04")
    assert (state, result["kind"], result["sessions"]) == ("DONE", "exchange", 3)
    calendar = client.calendar("LIST")
    assert (str(calendar.first), str(calendar.last)) == ("2026-11-23", "2026-12-04")
    assert [str(day) for day in calendar.sessions(calendar.first, calendar.last)] == [
        "2026-11-23",
        "2026-11-25",
        "2026-11-28",
    ]
    assert calendar.session("2026-11-28").is_half
    assert beijing(calendar.session("2026-11-25").close_at) == "11-25 12:00"
    assert of_list(lab, "2026-11-23\n2026-11-24\n")[1]["kind"] == "workday"


def test_a_list_may_have_columns_of_when_it_opens_and_closes(lab, client):
    assert of_list(lab, "Date,Open,Close\n2026-11-23,09:00,12:00\n2026-11-24,21:00,02:30\n")[0] == "DONE"
    calendar = client.calendar("LIST")
    assert beijing(calendar.session("2026-11-23").close_at) == "11-23 12:00"
    assert beijing(calendar.session("2026-11-24").close_at) == "11-25 02:30"
    assert of_list(lab, "date,open,close\n2026-11-23,,\n2026-11-24\n")[1]["kind"] == "workday"


def test_days_that_a_short_list_leaves_out_are_closed_from_monday_to_friday_and_a_weekend_may_lie_elsewhere(
    lab, client
):
    of_list(lab)
    weekdays = [
        weekday for weekday in range(23, 30) if client.calendar("LIST").days.is_weekday(date(2026, 11, weekday))
    ]
    assert weekdays == [23, 24, 25, 26, 27]
    sunday, riyadh = date(2026, 11, 1), (0, 1, 2, 3, 4)
    of_list(lab, "".join(f"{sunday + timedelta(days=week * 7 + day)}\n" for week in range(4) for day in riyadh))
    assert client.calendar("LIST").days.weekdays == set(riyadh)


@pytest.mark.parametrize(
    ("csv", "error"),
    [
        ("2026-11-23\n2026-11-31\n", "line 2: "),
        ("day\n2026-11-23\n23.11.2026\n", "line 3: "),
        ("2026-11-23,09:00-12:00\n2026-11-24,nine\n", "line 2: 'nine' is not a time of day"),
        ("2026-11-23\n\n2026-11-23\n", "line 3: 2026-11-23 stands there twice"),
        (
            "day,hours\n2026-11-23,09:00-08:30\n",
            "line 2: '09:00-08:30' does not end after it begins; write a later end",
        ),
        ("2026-11-23,09:00-11:30 13:00-13:00\n", "line 1: '09:00-11:30 13:00-13:00': the last part runs into"),
        (
            "2026-11-23,09:00-10:00,x\n",
            "line 1: has 3 columns; a line is day,hours, such as 2026-01-05,09:00-11:30 13:00-17:00",
        ),
        (
            "trade_date,is_open\n2026-11-23,1\n",
            "line 1: the columns trade_date,is_open are not known; a line is day,hours, such as",
        ),
        ("date,open,close,note\n", "line 1: the columns date,open,close,note are not known"),
        ("date,open,close\n2026-11-23,09:00,\n", "line 2: 2026-11-23 has one time; "),
        ("date,open,close\n2026-11-23,09:00,17:00,x\n", "line 2: has 4 columns; "),
        ("2026-11-23,09:00-10:00\n2026-11-24\n", "2026-11-24 has no hours, and other days have"),
        ("day\n", "there is no day in the list"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_nothing_is_imported(lab, client, csv, error):
    state, answer = of_list(lab, csv)
    assert (state, error in answer, answer.endswith("nothing was imported")) == ("REJECTED", True, True), answer
    assert client.own_calendars() == []


def test_only_a_night_ends_on_the_next_day_unless_a_document_says_so_and_round_the_clock_is_until_midnight(lab, client):
    assert (
        imported(lab, DESK | {"hours": {"2026-11-01": "06:00-05:00"}, "special": {}})[0] == "DONE"
    )  # CME, in Shanghai
    [(begin, end)] = client.calendar("DESK").session("2026-11-23").spans
    assert (end - begin).total_seconds() / 3600 == 23
    assert of_list(lab, "2026-11-23,15:00-05:00\n2026-11-24,00:00-00:00\n2026-11-25,17:00-16:00\n")[0] == "DONE"
    spans = [client.calendar("LIST").session(f"2026-11-{day}").spans for day in (23, 24, 25)]
    assert [(end - begin).total_seconds() / 3600 for [(begin, end)] in spans] == [14, 24, 23]
    args = {"calendar": "LIST", "day": "2026-11-24", "kind": "open", "hours": "09:00-08:30"}
    state, error = lab.command("override_day", args=json.dumps(args), reason="wrong")
    assert (state, "hours: '09:00-08:30' does not end after it begins" in error) == ("REJECTED", True), error


def test_calendars_are_combined_by_name_and_as_own_ones(lab, desk, client):
    assert imported(lab, {"calendar": "BOTH", "all_of": ["XSHG", "XHKG"]})[0] == "DONE"
    assert imported(lab, {"calendar": "ANY", "any_of": ["BOTH", "XTKS"]})[0] == "DONE"
    china, hong_kong, tokyo = map(client.calendar, ("XSHG", "XHKG", "XTKS"))
    both = client.calendar("XSHG & XHKG")
    span = ("2026-01-01", "2026-12-31")
    assert set(both.sessions(*span)) == {*china.sessions(*span)} & {*hong_kong.sessions(*span)}
    assert client.calendar("BOTH").sessions(*span) == both.sessions(*span)
    assert both.session("2026-11-23").close_at == china.session("2026-11-23").close_at
    either = client.calendar("ANY")
    assert either.kind == "workday"
    assert set(either.sessions(*span)) == {*both.sessions(*span), *tokyo.sessions(*span)}
    define(desk, "{at: close, calendar: XSHG & XHKG}")
    define(desk, "{cron: '0 9 * * *', calendar: ANY}", key="other")
    answer = lab.command(
        "override_day", args='{"calendar": "XHKG", "day": "2026-11-23", "kind": "closed"}', reason="typhoon"
    )
    assert answer[1]["moved"] == 2  # Tokyo has a holiday that day, so ANY had it from both alone
    assert not client.calendar("BOTH").is_session("2026-11-23")


def test_expressions_and_files_may_name_own_calendars(lab, client):
    imported(lab, DESK)
    source = "workflow: w\ncalendar: DESK\nschedule: {at: close}\ntasks: {a: {job: work, params: {day: \"{{ next_session(business_date, 1, 'BOTH') }}\"}}}\n"
    args = json.dumps({"source": source, "format": "yaml"})
    lab.workflow("w", {"a": None})
    state, error = lab.command("draft", workflow="w", args=args)
    assert (state, "there is no calendar 'BOTH'" in error) == ("REJECTED", True)
    imported(lab, {"calendar": "BOTH", "all_of": ["XSHG", "DESK"]})
    assert lab.command("draft", workflow="w", args=args) == ("DONE", {"workflow": "w", "version": 2})
    lab.command("activate", workflow="w", args='{"version": 2}')
    assert beijing(client.next_fires("w", 1)[0]["fire_at"]) == "11-23 12:00"
    assert [row["workflow"] for row in client.schedules()] == ["w"]


def test_a_file_that_names_a_calendar_is_stored_when_that_is_imported(lab, client, tmp_path):
    (tmp_path / "desk.yaml").write_text("workflow: w\nschedule: {at: close, calendar: DESK}\ntasks: {a: {job: work}}\n")
    files = WorkflowFiles(lab.store, lab.topics, [tmp_path], lambda job: None)
    files.read_all()
    [fault] = client.workflows()
    assert "there is no calendar 'DESK'" in fault["error"]
    imported(lab, DESK)
    files.tick()
    [row] = client.workflows()
    assert (row["workflow"], row["error"]) == ("w", None)
    assert client.next_fires("w", 1)


def test_what_is_in_use_is_not_removed(lab, desk, client):
    def remove(name):
        return lab.command("remove_calendar", args=json.dumps({"calendar": name}))

    imported(lab, DESK)
    imported(lab, {"calendar": "BOTH", "all_of": ["XSHG", "DESK"]})
    define(desk, "{at: close, calendar: BOTH & XHKG}")
    assert remove("DESK") == ("REJECTED", "calendar DESK is in use: calendar BOTH goes by it")
    assert remove("BOTH") == ("REJECTED", "calendar BOTH is in use: the schedule of workflow daily goes by it")
    define(desk, "null")
    lab.command("override_day", args='{"calendar": "DESK", "day": "2026-11-23", "kind": "closed"}', reason="r")
    assert [remove(name)[0] for name in ("BOTH", "DESK")] == ["DONE", "DONE"]
    assert (client.own_calendars(), client.calendar_overrides()) == ([], [])
    assert remove("DESK") == ("REJECTED", "there is no own calendar 'DESK'; `qflowd calendars` lists all")
    assert remove("XSHG") == ("REJECTED", "calendar XSHG ships with qflowd and stays")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (DESK | {"calendar": "XSHG"}, "calendar XSHG ships with qflowd; choose another name, or override its days"),
        (DESK | {"calendar": "A.b"}, "holds one of . / & |"),
        (DESK | {"calendar": "x" * 65}, "at most 64 are allowed"),
        (DESK | {"last": "2026-10-01"}, "the last day, 2026-10-01, comes before the first, 2026-11-01"),
        (DESK | {"first": "1026-11-01"}, "more than 200 years"),
        (DESK | {"hours": {}}, "an exchange has hours, and work days have none"),
        (DESK | {"hours": {"2026-12-01": "10:00-12:00"}}, "nothing is said of 2026-11-01"),
        (DESK | {"hours": {"2026-11-01": "10-12"}}, "'10' is not a time of day"),
        (DESK | {"timezone": "Peking"}, "'Peking' is not a time zone"),
        (DESK | {"closed": {"2026": "1131"}}, "'1131' of 2026 is not a day"),
        (DESK | {"weekdays": "08"}, "must be digits from 1 (Monday) to 7"),
        (DESK | {"weekdays": ""}, "has no session at all"),
        (DESK | {"days_of": "XSHQ"}, "there is no calendar 'XSHQ'; did you mean XSHG?"),
        (DESK | {"opened": {}}, "Object contains unknown field `opened`"),
        ({"calendar": "A", "all_of": ["XSHG"]}, "takes 2 to 8"),
        ({"calendar": "A", "all_of": ["XSHG", "A"]}, "calendar A is made of itself: A -> A"),
        ({"calendar": "A", "any_of": ["XSHG", "XHKQ"]}, "there is no calendar 'XHKQ'; did you mean XHKG?"),
        ({"calendar": "A", "all_of": ["XSHG", "XHKG"], "any_of": ["XSHG", "XHKG"]}, "takes either all_of or any_of"),
        ({"calendar": "A", "all_of": ["XSHG | XHKG & XTKS", "XNYS"]}, "has both & and |"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_by_a_sentence(lab, client, document, error):
    state, answer = imported(lab, document)
    assert (state, error in answer) == ("REJECTED", True), answer
    assert client.own_calendars() == []


def test_an_import_that_would_break_another_calendar_is_refused(lab, client):
    imported(lab, DESK)
    imported(lab, {"calendar": "BOTH", "all_of": ["XSHG", "DESK"]})
    later = DESK | {"first": "2096-11-01", "last": "2096-12-31", "hours": {"2096-11-01": "10:00-12:00"}}
    state, error = imported(lab, later)
    assert (state, error) == ("REJECTED", "calendar BOTH: XSHG, DESK know no day in common")
    assert str(client.calendar("DESK").first) == "2026-11-01"


def test_own_calendars_belong_to_a_tenant(lab, client):
    lab.command("import_calendar", args=json.dumps({"document": DESK}), tenant="north")
    assert client.own_calendars() == []
    [row] = Client(DatabaseTransport(lab.store, "north")).own_calendars()
    assert (row["name"], row["kind"], row["document"]["calendar"]) == ("DESK", "exchange", "DESK")
