"""Backfills: each date is run once, never more at a time than may be, whoever drives them and whatever is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.tenants import create_tenant, set_quotas
from qflowd.engine.backfills.backfill_request import MOST_DATES
from qflowd.engine.backfills.backfills import IDLE_S, WAITING_S, Backfills
from qflowd.engine.backfills.day_window import opens_at
from qflowd.engine.service import Topics
from qflowd.model.states import TaskState
from qflowd.store.tx import Store
from tests.support.lab import FAILED, Lab

RANGE = {"from": "2026-10-05", "to": "2026-10-13"}  # of XSHG, which is closed until the 7th
SESSIONS = ["2026-10-08", "2026-10-09", "2026-10-12", "2026-10-13"]
COUNTS = "SELECT state, done, failed, skipped, active, waiting, total FROM qflow.backfills ORDER BY id DESC"


def ask(lab: Lab, workflow: str = "daily", **args: Any) -> tuple[str, Any]:
    """Ask for a backfill as ann."""
    given = {name: value for name, value in (RANGE | {"calendar": "XSHG"} | args).items() if value is not None}
    return lab.command("backfill", workflow=workflow, args=json.dumps(given), requested_by="ann")


def tell(lab: Lab, action: str, number: int, **args: Any) -> tuple[str, Any]:
    return lab.command(f"{action}_backfill", args=json.dumps({"backfill": number, **args}), requested_by="ann")


def drive(lab: Lab, *services: Backfills) -> None:
    """What the service does until there is nothing more for now, and the admission of what it submits."""
    for service in services or (lab.backfills,):
        while not service.tick():
            pass
    while not lab.admit.tick():
        pass


def finish(lab: Lab, outcome: TaskState = TaskState.SUCCESS) -> None:
    """End one run."""
    lab.ends(lab.claim(1)[:1], outcome)


def runs(lab: Lab) -> list[str]:
    """The dates of instances, in the order in which they were submitted."""
    return [str(day) for (day,) in lab.sql("SELECT business_date FROM qflow.workflow_instance ORDER BY id")]


def days(lab: Lab) -> list[str]:
    return [state for (state,) in lab.sql("SELECT state FROM qflow.backfill_dates ORDER BY backfill_id, place")]


def left(lab: Lab) -> int:
    """How many backfills can let a date begin now."""
    return int(lab.store.read(lambda tx: tx.one("count_open", now=lab.clock.now())).backfills)


@pytest.fixture
def daily(lab: Lab) -> Lab:
    lab.workflow("daily", {"one": []}, params={"codes": {"type": "integer", "default": 1}})
    return lab


def test_the_sessions_of_a_range_run_a_few_at_a_time_until_all_have_ended(daily):
    state, result = ask(daily, max_active=3, params={"codes": 7})
    number = result["backfill"]
    assert (state, result["dates"], result["of"]) == ("DONE", 4, "sessions of XSHG")
    drive(daily)
    assert (runs(daily), days(daily)) == (SESSIONS[:3], ["ACTIVE", "ACTIVE", "ACTIVE", "OPEN"])
    assert daily.backfills.tick() == WAITING_S
    assert left(daily) == 0
    finish(daily, FAILED)
    assert left(daily) == 1  # `--until-idle` waits for its next date
    drive(daily)
    assert (runs(daily), daily.sql(COUNTS)) == (SESSIONS, [("RUNNING", 0, 1, 0, 3, 0, 4)])
    for _ in range(3):
        finish(daily)
    drive(daily)
    assert (daily.sql(COUNTS), daily.backfills.tick()) == ([("DONE", 3, 1, 0, 0, 0, 4)], IDLE_S)
    columns = "trigger_type, backfill, priority, params, schedule, fire_at"
    rows = daily.sql(f"SELECT DISTINCT {columns} FROM qflow.workflow_instance")
    assert rows == [("backfill", number, -100, '{"codes":7}', None, None)]
    assert daily.sql("SELECT DISTINCT backfill_id FROM qflow.instances") == [(number,)]
    assert daily.sql("SELECT DISTINCT idempotency_key, submitted_by FROM qflow.submissions ORDER BY 1")[0] == (
        f"backfill/{number}/2026-10-08",
        f"backfill:{number}",
    )


def test_a_failed_date_that_was_retried_counts_as_what_it_is_now(daily):
    ask(daily, max_active=1, to="2026-10-08")
    drive(daily), finish(daily, FAILED), drive(daily)
    assert daily.sql(COUNTS) == [("DONE", 0, 1, 0, 0, 0, 1)]
    [(instance,)] = daily.sql("SELECT id FROM qflow.workflow_instance")
    daily.command("retry", instance)
    assert (daily.sql(COUNTS), days(daily)) == ([("DONE", 0, 0, 0, 1, 0, 1)], ["ACTIVE"])
    finish(daily)
    assert (daily.sql(COUNTS), days(daily)) == ([("DONE", 1, 0, 0, 0, 0, 1)], ["DONE"])


def test_only_missing_leaves_out_what_has_a_good_or_an_open_run_also_when_its_turn_comes(daily):
    good, bad, held = (daily.start("daily", business_date=day) for day in (SESSIONS[0], SESSIONS[1], SESSIONS[3]))
    rows = {row.id >> 20: row for row in daily.claim()}
    daily.ends([rows[good]]), daily.ends([rows[bad]], FAILED)
    missing = ask(daily, only_missing=True, dry_run=True)[1]
    assert (missing["list"], missing["covered"]) == ([SESSIONS[1], SESSIONS[2]], 2)
    everything = ask(daily, dry_run=True)[1]
    assert (everything["dates"], everything["covered"]) == (4, 2)
    assert ask(daily, only_missing=True, max_active=1)[1]["dates"] == 2
    drive(daily)
    daily.start("daily", business_date=SESSIONS[2])
    rows |= {row.id >> 20: row for row in daily.claim()}
    daily.ends([rows.pop(max(rows) - 1)]), drive(daily)
    assert daily.sql(COUNTS)[0][:4] == ("DONE", 1, 0, 1)
    assert runs(daily)[3:] == [SESSIONS[1], SESSIONS[2]]
    daily.ends([rows[held]])
    told = ask(daily, only_missing=True)[1]["already"]
    assert told == "nothing is missing: each of the 4 sessions of XSHG has a good run, or an open one"
    assert daily.sql("SELECT COUNT(*) FROM qflow.backfill") == [(1,)]


def test_of_two_that_want_a_missing_date_at_once_the_second_is_skipped(daily):
    bad = daily.start("daily", business_date=SESSIONS[0])
    finish(daily, FAILED)
    ask(daily, only_missing=True, to=SESSIONS[1])
    live = daily.submit("daily", business_date=SESSIONS[1])
    drive(daily), drive(daily)
    assert runs(daily) == [SESSIONS[0], SESSIONS[1], SESSIONS[0]]
    assert days(daily) == ["ACTIVE", "SKIPPED"]
    assert (daily.state(bad), daily.state(live)) == ("FAILED", "RUNNING")


def test_without_a_calendar_the_dates_are_those_of_the_workflow_s_or_all_days(daily):
    daily.workflow("fx", {"one": []}, calendar="XHKG")
    assert ask(daily, "fx", calendar=None, dry_run=True)[1]["of"] == "sessions of XHKG"
    of_session = {"at": "close+30m"}
    two = {"east": {"calendar": "XSHG"} | of_session, "south": {"calendar": "XHKG"} | of_session}
    daily.workflow("both", {"one": []}, schedules=two)
    said = "args.calendar: is missing; schedules of workflow 'both' go by XHKG and XSHG"
    assert ask(daily, "both", calendar=None) == ("REJECTED", said)
    assert ask(daily, "both", calendar="XHKG", dry_run=True)[1]["of"] == "sessions of XHKG"
    result = ask(daily, calendar=None, order="newest", dry_run=True)[1]
    assert (result["of"], result["dates"], result["dry_run"]) == ("days", 9, True)
    assert result["list"][:2] == ["2026-10-13", "2026-10-12"]
    assert daily.sql("SELECT COUNT(*) FROM qflow.backfill") == [(0,)]


def test_a_pause_submits_nothing_more_and_a_stop_waits_for_what_runs(daily):
    number = ask(daily, max_active=2)[1]["backfill"]
    drive(daily)
    assert tell(daily, "pause", number) == ("DONE", {"backfill": number})
    daily.sql("UPDATE qflow.workflow_instance SET created_at = started_at")  # the server's clock is not set
    daily.clock.advance(60)
    finish(daily), drive(daily)
    assert daily.sql(COUNTS) == [("PAUSED", 1, 0, 0, 1, 2, 4)]
    [(progress, remaining_s)] = daily.sql("SELECT progress, remaining_s FROM qflow.backfills")
    assert (float(progress), float(remaining_s)) == (0.25, 90.0)  # three of a minute, two at a time
    assert daily.sql("SELECT wait_reason FROM qflow.backfills") == [("paused by ann since 2026-11-20T09:30:00Z",)]
    assert tell(daily, "pause", number) == ("REJECTED", f"backfill {number} is PAUSED")
    tell(daily, "resume", number), drive(daily)
    assert len(runs(daily)) == 3
    assert tell(daily, "resume", number) == ("REJECTED", f"backfill {number} is RUNNING")
    assert tell(daily, "stop", number) == ("DONE", {"backfill": number, "active": 2})
    finish(daily), drive(daily)
    assert daily.sql(COUNTS) == [("STOPPING", 2, 0, 0, 1, 1, 4)]
    assert tell(daily, "stop", number)[0] == "REJECTED"
    assert tell(daily, "stop", number, terminate=True) == ("DONE", {"backfill": number, "active": 1})
    daily.commands.tick(), daily.sweep_all(), drive(daily)
    assert daily.sql(COUNTS) == [("STOPPED", 2, 1, 0, 0, 1, 4)]
    [(progress, why)] = daily.sql("SELECT progress, wait_reason FROM qflow.backfills")
    assert (float(progress), why) == (0.75, "stopped by ann since 2026-11-20T09:31:00Z")
    assert tell(daily, "stop", number) == ("REJECTED", f"backfill {number} is STOPPED")


def test_it_submits_in_its_window_alone_which_may_go_over_midnight(daily):
    number = ask(daily, window="22:00-06:00", max_active=1)[1]["backfill"]
    daily.clock.time = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)  # 06:30 in Shanghai
    assert daily.backfills.tick() == 0  # it notes until when it waits
    assert daily.backfills.tick() == IDLE_S
    assert daily.sql("SELECT hold FROM qflow.backfill") == [("outside of its window 22:00-06:00 (Asia/Shanghai)",)]
    daily.clock.time = datetime(2026, 11, 21, 13, 59, 58, tzinfo=UTC)
    assert daily.backfills.tick() == 2.0
    daily.clock.advance(2), drive(daily)
    assert runs(daily) == SESSIONS[:1]
    daily.clock.time = datetime(2026, 11, 21, 21, 59, tzinfo=UTC)
    finish(daily), drive(daily)
    assert runs(daily) == SESSIONS[:2]
    daily.clock.advance(3600)
    finish(daily), drive(daily)
    assert runs(daily) == SESSIONS[:2]
    assert tell(daily, "stop", number) == ("DONE", {"backfill": number, "active": 0})


def test_in_the_hour_that_clocks_repeat_a_window_opens_later_than_now():
    for hour in (5, 6):  # 01:10 in New York, twice
        now = datetime(2026, 11, 1, hour, 10, tzinfo=UTC)
        assert opens_at("01:30-05:00", "America/New_York", now) == now + timedelta(minutes=20)
        assert opens_at("01:00-01:05", "America/New_York", now) == datetime(2026, 11, hour - 4, 6, tzinfo=UTC)


def test_of_two_daemons_at_once_each_submits_what_the_other_has_not(daily):
    ask(daily, max_active=2)
    other = Store(daily.url, clock=daily.clock)
    faster = Backfills(other, Topics())
    daily.just_before("step_backfill", lambda: drive(daily, faster))
    drive(daily)
    for _ in SESSIONS:
        drive(daily, faster, daily.backfills)
        assert daily.sql("SELECT COUNT(*) FROM qflow.workflow_instance WHERE state < 3")[0][0] <= 2
        finish(daily)
    drive(daily, faster)
    assert (runs(daily), daily.sql(COUNTS)) == (SESSIONS, [("DONE", 4, 0, 0, 0, 0, 4)])
    other.close()


def test_a_step_that_is_lost_before_or_after_its_commit_submits_each_date_once(daily):
    lost = []

    def lose(transaction, where):
        if transaction == "step_backfill" and where in ("before_commit", "after_commit") and lost.count(where) < 2:
            lost.append(where)
            raise ConnectionResetError

    ask(daily, max_active=2)
    store = Store(daily.url, clock=daily.clock, fault=lose)
    for _ in range(8):
        drive(daily, Backfills(store, Topics()))
        assert days(daily).count("ACTIVE") <= 2
        finish(daily)
    assert (runs(daily), daily.sql(COUNTS)) == (SESSIONS, [("DONE", 4, 0, 0, 0, 0, 4)])
    assert len(lost) == 4
    store.close()


def test_nothing_is_submitted_while_the_workflow_takes_nothing_and_no_date_is_lost(daily):
    ask(daily, max_active=1)
    daily.command("archive", workflow="daily"), drive(daily)
    assert (daily.backfills.tick(), runs(daily)) == (IDLE_S, [])
    daily.command("unarchive", workflow="daily"), daily.command("pause", workflow="daily"), drive(daily)
    assert runs(daily) == []
    daily.command("resume", workflow="daily"), drive(daily)
    assert runs(daily) == SESSIONS[:1]


def test_a_quota_of_the_tenant_makes_it_wait_and_costs_no_date(lab):
    me = Actor("me")
    lab.store.transact(lambda tx: create_tenant(tx, me, "desk", "Desk"))
    lab.store.transact(lambda tx: set_quotas(tx, me, "desk", {"open_instances": 1}))
    lab.workflow("daily", {"one": []}, tenant="desk")
    args = json.dumps(RANGE | {"calendar": "XSHG"})
    assert lab.command("backfill", workflow="daily", args=args, tenant="desk")[0] == "DONE"
    drive(lab), drive(lab)
    assert days(lab) == ["ACTIVE", "OPEN", "OPEN", "OPEN"]
    assert "quota open_instances of tenant desk is 1" in lab.sql("SELECT hold FROM qflow.backfill")[0][0]
    finish(lab), drive(lab)
    assert runs(lab) == SESSIONS[:1]
    lab.clock.advance(60), drive(lab), drive(lab)
    assert days(lab) == ["DONE", "ACTIVE", "OPEN", "OPEN"]


def test_an_instance_that_is_in_the_way_makes_it_wait_and_costs_no_date(lab):
    lab.workflow("daily", {"one": []}, concurrency="singleton(skip)")
    lab.start("daily")
    assert ask(lab, max_active=1, to="2026-10-09")[0] == "DONE"
    drive(lab), drive(lab)
    assert days(lab) == ["OPEN", "OPEN"]
    assert lab.sql("SELECT hold FROM qflow.backfill")[0][0].startswith("skipped: ")
    finish(lab), lab.clock.advance(60), drive(lab)
    assert days(lab) == ["ACTIVE", "OPEN"]


def test_a_submission_that_is_refused_is_a_failed_date_that_says_why(daily):
    ask(daily, max_active=1, to="2026-10-09")
    daily.workflow("daily", {"one": []}, params={"market": {"type": "string"}})
    drive(daily), drive(daily), drive(daily)
    assert daily.sql(COUNTS) == [("DONE", 0, 2, 0, 0, 0, 2)]
    assert "market" in daily.sql("SELECT error FROM qflow.backfill_dates")[0][0]


REFUSED = {
    "after": ({"from": "2026-10-14"}, "args.from: 2026-10-14 is after args.to, 2026-10-13"),
    "missing": ({"to": None}, "args.to: is missing"),
    "no date": ({"from": "soon"}, "args.from: 'soon' is not a date; write it like 2026-11-20"),
    "none at once": ({"max_active": 0}, "args.max_active: must be a whole number from 1 to 1000, not 0"),
    "a window": ({"window": "late"}, "args.window: 'late' is not a time of day"),
    "calendar": ({"calendar": "XSHH"}, "args.calendar: there is no calendar 'XSHH'; did you mean XSHG?"),
    "horizon": ({"to": "2031-01-01"}, "past"),
    "no session": ({"to": "2026-10-07"}, "there are no sessions of XSHG from 2026-10-05 to 2026-10-07"),
    "params": ({"params": {"codes": "many"}}, "params: codes: "),
    "a century": (
        {"from": "1926-10-14", "calendar": None},
        f"from 1926-10-14 to 2026-10-13 there are 36,525 days; a backfill has at most {MOST_DATES:,} dates: ask for a part",
    ),
}


def test_what_cannot_be_meant_is_refused_in_a_sentence_and_submits_nothing(daily):
    for args, said in REFUSED.values():
        state, error = ask(daily, **args)
        assert (state, said in error) == ("REJECTED", True), error
    drive(daily)
    assert (runs(daily), daily.sql("SELECT COUNT(*) FROM qflow.backfill")) == ([], [(0,)])


def test_it_is_refused_beside_another_one_of_the_same_dates_and_for_workflows_that_take_nothing(daily):
    number = ask(daily)[1]["backfill"]
    state, error = ask(daily, **{"from": "2026-10-13", "to": "2026-10-20"})
    said = (
        f"backfill {number} of workflow 'daily', from 2026-10-05 to 2026-10-13, is open and has some of these dates; "
    )
    assert (state, error) == ("REJECTED", f"{said}wait for its end, or stop it: `qflowd backfills stop {number}`")
    assert ask(daily, **{"from": "2026-10-14", "to": "2026-10-20"})[0] == "DONE"
    assert ask(daily, "daly")[1] == "there is no workflow 'daly'; did you mean daily?"
    daily.workflow("single", {"one": []}, concurrency="singleton(skip)")
    assert "do not run side by side (singleton(skip)); ask for 1" in ask(daily, "single")[1]
    assert ask(daily, "single", max_active=1)[0] == "DONE"
    daily.command("archive", workflow="daily")
    assert "is archived since" in ask(daily, **{"from": "2026-09-14", "to": "2026-09-20"})[1]
    assert tell(daily, "pause", 99) == ("REJECTED", "there is no backfill 99; `qflowd backfills` lists those there are")


@pytest.mark.long
def test_years_of_sessions_of_seven_tasks_never_hold_more_rows_open_than_they_may(lab):
    tasks = {"fetch": [], **{name: ["fetch"] for name in "abcde"}, "report": [*"abcde"]}
    lab.workflow("years", tasks)
    wanted = {"from": "2020-01-02", "to": "2026-11-20", "order": "newest", "only_missing": True}
    assert ask(lab, "years", **wanted)[1]["dates"] == 1_668
    opened = "SELECT COUNT(DISTINCT id >> 20), COUNT(*) FROM qflow.task_instance WHERE state < 5"
    while lab.sql("SELECT state FROM qflow.backfill") == [(0,)]:
        drive(lab)
        instances, rows = lab.sql(opened)[0]
        assert instances <= 4
        assert rows <= 4 * len(tasks)
        lab.ends(lab.claim())
    assert lab.sql(COUNTS) == [("DONE", 1_668, 0, 0, 0, 0, 1_668)]
    assert runs(lab)[0] == "2026-11-20"
    assert len(set(runs(lab))) == 1_668
    lab.check(drained=True)
