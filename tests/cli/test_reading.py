"""Commands that read: for people in tables, for programs as one JSON document."""

from __future__ import annotations

import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from qflowd.model.states import Reason, SagaState, TaskState

DOCUMENT = '{"workflow":"daily","tasks":{"a":{"job":"hello"},"b":{"job":"hello","after":"a","params":{"name":"{{ a.output.x }}"}}}}'


@pytest.fixture(scope="module")
def filled_store(shared):
    """Instance 1 failed, 2 runs, 3 succeeded, 4 was rejected, 5 is new."""
    engine = shared
    for _ in range(5):
        engine.sql(engine.insert("submissions", job="hello"))
    engine.admit(1, tasks=("READY", "UPSTREAM_FAILED"))
    engine.fail(1, "ValueError: no data\nfor 000300")
    engine.end(1, "FAILED", "task hello failed: ValueError: no data")
    engine.admit(2, tasks=("RUNNING", "PENDING"))
    engine.log(2, "first", "second\nline")
    engine.admit(3)
    engine.log(3, "only")
    engine.finish(3, '{"rows":5}')
    engine.end(3)
    engine.answer(4, "REJECTED", error="unknown")
    engine.daemon()
    engine.workflow("daily", DOCUMENT, cron="0 17 * * *")
    row = {"definition_id": 1, "name": "cron", "fire_at": "NOW", "instance_id": 3, "created_at": "NOW"}
    engine.sql(engine.insert("schedule_fire", **row))
    return engine


@pytest.fixture
def filled(engine, filled_store):
    """Commands find the filled store."""
    return filled_store


def test_ps_lists_open_instances_first(run, filled):
    ran = run("ps")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "DONE", "DATE", "CREATED", "(UTC)", "TOOK", "NOTE"]
    assert [line.split()[0] for line in lines[1:]] == ["2", "3", "1"]
    assert "task hello failed" in lines[3]
    assert ran.err == "1 submission waiting for a daemon\n"
    found = run("ps", "--json").json
    assert [(row["id"], row["state"], row["progress"]) for row in found] == [
        *((2, "RUNNING", 0.0), (3, "SUCCESS", 1.0), (1, "FAILED", 1.0))
    ]
    assert found[0]["created_at"].endswith("Z")
    assert found[0]["params"] == {"a": 1}


def test_ps_notes_what_was_tolerated_and_what_was_undone(run, sqlite_engine):
    sqlite_engine.admit(1, tasks=("FAILED",), reason=int(Reason.TOLERATED))
    sqlite_engine.end(1)
    sqlite_engine.admit(2, tasks=("FAILED",), reason=int(Reason.ERROR), saga_state=int(SagaState.COMPENSATED))
    sqlite_engine.end(2, "FAILED", "task hello failed: ValueError: no data\nfor 000300")
    failed, tolerated = run("ps").out.splitlines()[1:]
    assert failed.endswith("  COMPENSATED: task hello failed: ValueError: no data")
    assert tolerated.endswith("  tolerated")
    assert [row["reason"] for row in run("ps", "--json").json] == ["error", "tolerated"]


def test_ps_can_be_narrowed(run, filled):
    def ids(*args):
        return [row["id"] for row in run("ps", "--json", *args).json]

    assert ids("--state", "failed") == [1]
    assert ids("--state", "open") == [2]
    assert ids("--limit", 1) == [2]
    assert ids("--all") == [2, 3, 1]
    assert ids("--workflow", "hello") == [2, 3, 1]
    assert ids("--workflow", "daily") == []
    assert run("ps", "--workflow", "daily").err.startswith("no instances like this\n")


def test_failures_are_listed_and_can_be_narrowed(run, filled):
    [title, line] = run("failures").out.splitlines()
    assert title.split() == "INSTANCE WORKFLOW TASK DATE FAILED (UTC) ATTEMPTS CLASS ERROR".split()  # noqa: SIM905
    assert (line.split()[:2], line.endswith("ValueError: no data")) == (["1", "hello"], True)
    for narrowed in (("--where", "error_class=Value*"), ("--workflow", "hel*"), ("--where", "state=FAILED")):
        assert [row["instance_id"] for row in run("failures", "--json", *narrowed).json] == [1]
    for narrowed in (
        ("--where", "error_class=KeyError"),
        ("--workflow", "x*"),
        ("--workflow", "daily"),
        ("--since", "2100-01-01T00:00Z"),
    ):
        assert run("failures", *narrowed).err == "no failures like this\n"


def test_failures_that_somebody_has_handled_are_listed_with_the_note(run, sqlite_engine):
    assert run("failures", "--handled").err == "no handled failures\n"
    number = sqlite_engine.admit(1)
    sqlite_engine.fail(number, "ValueError: no data")
    row = {"task_id": number << 20, "fence": 0, "handled_at": "NOW", "handled_by": "ada", "note": "restated"}
    sqlite_engine.sql(sqlite_engine.insert("failure", **row))
    [title, line] = run("failures", "--handled").out.splitlines()
    assert title.split()[6:] == "HANDLED (UTC) BY NOTE CLASS ERROR".split()  # noqa: SIM905
    assert line.endswith("  ada  restated  ValueError  ValueError: no data")
    assert run("failures").err == "no failures\n"
    assert run("failures", "--handled", "--json").json[0]["note"] == "restated"


def test_show_tells_what_failed_and_what_waits(run, filled):
    ran = run("show", 1)
    assert ran.code == 0
    assert "Instance 1  job hello  FAILED  100%" in ran.out
    assert "2 tasks: 1 FAILED, 1 UPSTREAM_FAILED" in ran.out
    assert "ValueError: no data" in ran.out
    assert "Traceback" not in ran.out
    assert "Traceback: …" in run("show", 1, "--tracebacks").out
    assert "waits for tasks before it: 0" in run("show", 2).out
    found = run("show", 1, "--json").json
    assert set(found) == {"instance", "breakpoint", "tasks", "attempts", "compensations"}
    assert found["attempts"][0]["error"] == "ValueError: no data\nfor 000300"
    assert run("show", 3, "--json").json["tasks"][0]["output"] == {"rows": 5}


def test_show_of_an_attempt_that_a_person_has_ended_has_its_time_alone_in_brackets(run, sqlite_engine):
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1, tasks=("FAILED",))
    attempt = {
        "task_id": 1 << 20,
        "fence": 0,
        "attempt": 1,
        "state": int(TaskState.FAILED),
        "reason": int(Reason.MANUAL),
    }
    sqlite_engine.sql(sqlite_engine.insert("attempt", **attempt, finished_at="NOW", error="not needed"))
    assert re.search(r"hello #1 manual \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\): not needed", run("show", 1).out)


def test_show_of_many_tasks_lists_those_that_need_looking_at_and_counts_the_others(run, engine):
    number = engine.admit(int(run("submit", "--job", "wide").out), "wide", ("SUCCESS",) * 70 + ("RUNNING", "HELD"))
    row = {"task_id": (number << 20) + 70, "fence": 0, "value": '{"page":12}', "updated_at": "NOW"}
    engine.sql(engine.insert("checkpoint", **row))
    for ordinal in range(61):
        engine.fail(number, f"ValueError: no bars for {ordinal}", ordinal)
    ran = run("show", number)
    lines = ran.out.splitlines()
    [counted] = [line for line in lines if line.startswith("72 tasks: 61 FAILED, 9 SUCCESS, 1 ")]
    assert {"1 RUNNING", "1 HELD"} <= set(counted.split(", "))
    assert len([line for line in lines if line.startswith("wide ")]) == 60
    assert len([line for line in lines if line.startswith("  wide #1 ")]) == 60
    assert lines.count("… and 12 more; --all shows them") == lines.count("  … and more; --all shows them") == 1
    assert "  starts next   wide" in lines
    assert '  saved         wide {"page": 12}' in lines
    every = run("show", number, "--all").out.splitlines()
    assert len([line for line in every if line.startswith("wide ")]) == 72
    assert len([line for line in every if line.startswith("  wide #1 ")]) == 61
    place = run("show", number, "--json").json["breakpoint"]
    assert (place["total"], place["failed"], place["checkpoints"]) == (72, 61, 1)


def test_show_tells_what_a_task_returned_and_how_long_a_short_one_took(run, filled):
    shown = run("show", 3).out.splitlines()[-1]
    assert shown.endswith('{"rows": 5}')
    assert "ms  hello" in shown


def test_large_params_are_cut_off_at_once(run, sqlite_engine):
    params = '{"text":"' + "x" * 1_000_000 + '"}'
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1)
    sqlite_engine.sql(f"UPDATE qflow.workflow_instance SET params = '{params}'")
    [line] = [line for line in run("show", 1).out.splitlines() if "params" in line]
    assert len(line) < 450
    assert line.endswith("x…")


def test_show_also_knows_what_was_rejected_or_not_taken_yet(run, filled):
    assert run("show", 4).out == "Submission 4: REJECTED: unknown\n"
    assert run("show", 5).out == "Submission 5: NEW: no daemon has taken it yet\n"
    assert run("show", 4, "--json").json["submission"] == {"id": 4, "state": "REJECTED", "error": "unknown"}


def test_logs_are_lines_with_time_task_and_level(run, filled):
    ran = run("logs", 2)
    lines = ran.out.splitlines()
    assert lines[0].split()[1:] == ["hello", "INFO", "first"]
    assert lines[1].endswith("second")
    assert lines[2] == "line"
    assert [line["message"] for line in run("logs", 2, "--json").json] == ["first", "second\nline"]
    for about, said in [
        ((1, "--task", "hello"), "nothing was written by task hello; instance 1 is FAILED"),
        ((5,), "nothing was written; instance 5 is NEW"),
    ]:
        ran = run("logs", *about)
        assert (ran.code, ran.out, ran.err) == (0, "", f"qflowd: {said}\n")


def test_a_name_that_exists_nowhere_is_an_error_with_the_one_that_was_meant(run, filled):
    for about, error in [
        (("ps", "--workflow", "dayli"), "there is no workflow or job 'dayli'; did you mean daily?"),
        (("failures", "--workflow", "helo"), "there is no workflow or job 'helo'; did you mean hello?"),
        (("failures", "--where", "task=hell"), "there is no task 'hell'; did you mean hello?"),
        (("logs", 2, "--task", "hallo"), "instance 2 has no task 'hallo'; did you mean hello?"),
        (("logs", "-f", 2, "--task", "hallo"), "instance 2 has no task 'hallo'; did you mean hello?"),
        (("why", 2, "--task", "hallo"), "instance 2 has no task 'hallo'; did you mean hello?"),
        (("logs", 2, "--task", "hallo", "--json"), "instance 2 has no task 'hallo'; did you mean hello?"),
        (("schedules", "fires", "dayli"), "there is no schedule of 'dayli'; did you mean daily?"),
        (("schedules", "next", "dayli"), "there is no schedule of 'dayli'; did you mean daily?"),
    ]:
        ran = run(*about)
        assert (ran.code, ran.out, ran.err) == (1, "", f"qflowd: {error}\n")
    assert run("versions", "dayli").err.endswith("; did you mean daily?\n")


def test_following_logs_ends_with_the_instance(run, filled):
    ran = run("logs", "-f", 3)
    assert ran.code == 0
    assert ran.out.count("only") == 1
    assert ran.err == "qflowd: instance 3 is SUCCESS\n"


def test_lists_name_what_there_is(run, filled):
    assert "daily" in run("workflows").out
    schedules = run("schedules").out
    assert "0 17 * * *" in schedules
    assert "Says hello." in run("jobs").out
    plugins = run("plugins").out
    assert "line 3: SyntaxError: bad" in plugins
    assert "desk" in run("daemons").out
    assert run("pools").out.splitlines()[1].split() == ["default", "desk", "2", "1", "0", "0"]


def test_the_next_fires_are_listed_with_their_days_or_why_there_are_none(run, filled, engine):
    fires = run("schedules", "next", "daily", "-n", 3, "--json").json
    assert [(fire["schedule"], fire["fire_at"][10:]) for fire in fires] == [("cron", "T17:00:00Z")] * 3
    assert [fire["business_date"] for fire in fires] == [fire["fire_at"][:10] for fire in fires]
    lines = run("--timezone", "Asia/Shanghai", "schedules", "next", "daily", "-n", 1).out.splitlines()
    assert lines[0].split() == ["FIRES", "(Asia/Shanghai)", "FOR", "SCHEDULE"]
    assert "01:00:00" in lines[1]
    engine.workflow("off_daily", "{}", cron="0 17 * * *")
    engine.sql(
        "UPDATE qflow.schedule SET enabled_override = 0 WHERE definition_id = "
        "(SELECT d.id FROM qflow.workflow_definition d WHERE d.workflow = 'off_daily')"
    )
    ran = run("schedules", "next", "off_daily")
    assert (ran.code, ran.out, ran.err) == (0, "", "the schedule of off_daily does not fire: it is disabled\n")


def test_of_several_schedules_each_that_has_no_time_is_told(run, filled, engine):
    engine.sql(
        *(
            f"INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, fact_kind, "
            f"fact_name) SELECT d.id, '{name}', '', 'UTC', 'none', 0, 1, {fact} FROM qflow.workflow_definition d "
            "WHERE d.workflow = 'daily'"
            for name, fact in (("ready", "0, 'vendor_ready'"), ("held", "3, 'nobody'"))
        )
    )
    ran = run("schedules", "next", "daily", "-n", 1)
    assert (ran.code, len(ran.out.splitlines())) == (0, 2)
    assert ran.err.splitlines() == [
        "schedule held of daily does not fire: workflow nobody is archived or not there",
        "schedule ready of daily starts on signal vendor_ready, whenever that comes",
    ]
    assert len(run("schedules", "next", "daily", "--schedule", "cron", "-n", 1).err) == 0
    assert len(run("schedules", "next", "daily", "-n", 1, "--json").json) == 1


def test_lists_are_json_too(run, filled):
    assert run("workflows", "--json").json[0]["tags"] == ["a"]
    assert run("schedules", "--json").json[0]["enabled"] is True
    assert run("jobs", "--json").json[0]["state"] == "ACTIVE"
    assert run("plugins", "--json").json[0]["jobs"] == ["hello"]
    assert run("daemons", "--json").json[0]["memory_mb"] == 30.0
    assert run("pools", "--json").json[0]["processes"] == 2


def test_an_empty_store_says_so_and_prints_empty_lists(run, sqlite_engine):
    for name, message in [
        ("ps", "no instances yet"),
        ("daemons", "no daemon is running"),
        ("schedules", "no schedules"),
    ]:
        ran = run(name)
        assert (ran.code, ran.out) == (0, "")
        assert message in ran.err
        assert run(name, "--json").json == []


def test_a_stored_workflow_can_be_planned(run, filled):
    ran = run("plan", "daily")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines() if line.strip()[:1].isdigit()] == [["1", "a"], ["2", "b"]]
    assert "{{ a.output.x }}" in ran.out
    found = run("plan", "daily", "--json").json
    assert [task["after"] for task in found["tasks"]] == [[], ["a"]]


def test_a_plan_shows_trigger_rules_and_what_a_finally_task_waits_for(run, filled, tmp_path):
    file = tmp_path / "daily.yaml"
    tasks = "a: {job: j}, b: {job: j, after: a, trigger_rule: all_done}, end: {job: j, trigger_rule: always}"
    file.write_text(f"workflow: rules\ntasks: {{{tasks}}}\n", "utf-8")
    lines = [line.split() for line in run("plan", str(file)).out.splitlines()]
    assert [line[:4] for line in lines if line[:1] == ["2"]] == [["2", "b", "a", "all_done"]]
    assert [line[:4] for line in lines if line[:1] == ["3"]] == [["3", "end", "b", "always"]]
    found = run("plan", str(file), "--json").json
    assert [task["trigger_rule"] for task in found["tasks"]] == ["all_success", "all_done", "always"]


def test_a_plan_asks_the_calendar_of_the_workflow(run, filled, tmp_path):
    params = 'params: {before: "{{ prev_session(business_date) }}", on: "{{ trade_date(fire_at) }}"}'
    text = f"workflow: closes\ncalendar: XSHG\ntasks:\n  a:\n    job: j\n    {params}\n"
    (tmp_path / "closes.yaml").write_text(text, "utf-8")
    shown = run("plan", "closes.yaml", "--business-date", "2026-11-20")
    assert "  calendar  XSHG" in shown.out.splitlines()
    found = run("plan", "closes.yaml", "--business-date", "2026-11-20", "--json").json["tasks"][0]["params"]
    assert found["before"] == "2026-11-19"
    assert "where it is fire_at, no schedule has fired" in found["on"]
    without = run("plan", "closes.yaml", "--json").json["tasks"][0]["params"]
    assert "where it is business_date, submit the instance with one" in without["before"]


RULES = """workflow: rules
tasks:
  list: {job: j}
  bars:
    {job: j, after: list, map: "{{ list.output }}", chunk: 50, max_parallel: 20, tolerate: {fail_pct: 2.5, min_ok: 10},
     limits: {"vendor:tushare": 1}, params: {symbols: "{{ item }}"}}
  check: {job: j, after: {bars: true, list: "{{ list.output != [] }}"}, when: "{{ params.check }}", on_failure: continue}
  end: {job: j, trigger_rule: always, run_on: terminate}
"""


def test_a_plan_says_in_words_when_a_task_runs_how_often_and_what_its_failure_means(run, filled, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    shown = run("plan", "rules.yaml").out.splitlines()
    head, *lines = [line for line in shown if line.strip()[:1].isdigit() or line.startswith("STEP")]
    assert "AFTER" in head
    assert "RULES" in head
    assert (
        "map {{ list.output }} (chunk 50, max_parallel 20, fail_pct 2.5, min_ok 10); limits vendor:tushare=1"
        in lines[1]
    )
    assert "bars, list if {{ list.output != [] }}  when {{ params.check }}; on_failure continue" in lines[2]
    assert "always; run_on terminate" in lines[3]
    bars = run("plan", "rules.yaml", "--json").json["tasks"][1]
    assert (bars["limits"], bars["chunk"], bars["max_parallel"]) == ({"vendor:tushare": 1}, 50, 20)
    assert bars["tolerate"] == {"fail_pct": 2.5, "min_ok": 10}
    fallback = "  other: {job: j, after: {bars: {on: breaker_open}}, retry: manual}\n"
    (tmp_path / "rules.yaml").write_text(RULES + fallback, "utf-8")
    shown = run("plan", "rules.yaml").out.splitlines()
    assert any("bars on breaker_open" in line and "retry manual" in line for line in shown)


def test_the_history_of_a_schedule_can_be_read(run, filled):
    ran = run("schedules", "fires", "other")
    assert (ran.code, ran.err) == (
        1,
        "qflowd: there is no schedule of 'other'; `qflowd workflows` and `qflowd jobs` list those there are\n",
    )
    assert run("schedules", "fires", "daily").out.splitlines()[1].split()[2:4] == ["3", "SUCCESS"]
    [fire] = run("schedules", "fires", "daily", "--json").json
    assert (fire["instance_id"], fire["state"], fire["fire_at"][-1]) == (3, "SUCCESS", "Z")


def test_a_schedule_that_has_not_fired_yet_says_so(run, sqlite_engine):
    sqlite_engine.workflow("daily", DOCUMENT, cron="0 17 * * *")
    ran = run("schedules", "fires", "daily")
    assert (ran.code, ran.err) == (0, "the schedule of daily has not fired yet\n")


def test_what_a_job_says_cannot_move_the_cursor_of_a_table(run, sqlite_engine):
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1)
    sqlite_engine.end(1, "FAILED", "over\rwritten\x07")
    assert "over written" in run("ps").out


def test_what_a_job_says_tells_the_terminal_nothing(run, sqlite_engine):
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1, tasks=("FAILED",))
    written = "\x1b]0;title\x07one\x1b[2J\rtwo \x1b[31mred\x1b[0m"
    sqlite_engine.log(1, written)
    sqlite_engine.fail(1, f"Boom: {written}")
    for command in (("logs", 1), ("failures",), ("ps", "--all"), ("show", 1, "--tracebacks"), ("why", 1)):
        ran = run(*command)
        assert [each for each in ("\x07", "\r", "\x1b]", "\x1b[2J", "title") if each in ran.out] == [], command
    assert "one two red" in run("logs", 1).out


def test_a_fire_that_was_rejected_shows_in_fires_and_in_doctor(run, engine):
    engine.workflow("rejected_daily", "{}", cron="0 17 * * *")
    [(definition,)] = engine.sql(
        "SELECT s.definition_id FROM qflow.schedule s JOIN qflow.workflow_definition d "
        "ON d.id = s.definition_id WHERE d.workflow = 'rejected_daily'"
    )
    number = int(run("submit", "rejected_daily").out)
    engine.answer(number, "REJECTED", error="params: day is missing")
    fire = engine.insert(
        "schedule_fire", definition_id=definition, name="cron", fire_at="NOW", instance_id=number, created_at="NOW"
    )
    engine.sql(
        fire,
        "UPDATE qflow.schedule SET last_fire_at = (SELECT fire_at FROM qflow.schedule_fire "
        f"WHERE definition_id = {definition}) WHERE definition_id = {definition}",
    )
    line = run("schedules", "fires", "rejected_daily").out.splitlines()[1]
    assert (line.split()[3], line.endswith("  cron      params: day is missing")) == ("REJECTED", True)
    ran = run("doctor")
    assert "the last fire of workflow rejected_daily was rejected: params: day is missing" in ran.out


def test_a_schedule_on_a_fact_shows_what_it_starts_on_and_what_has_started_it(run, engine):
    engine.workflow("leads", "{}")
    engine.workflow("follows", "{}", cron="0 17 * * *")
    [(number,)] = engine.sql("SELECT MAX(id) FROM qflow.workflow_definition")
    on_fact = "cron = '', next_fire_at = NULL, fact_kind = 3, fact_name = 'leads'"
    about = {"definition_id": number, "name": "cron", "fire_at": "NOW", "created_at": "NOW", "fact_kind": 3}
    engine.sql(
        engine.insert("schedule_fire", **about, fact_id=3),
        f"UPDATE qflow.schedule SET {on_fact} WHERE definition_id = {number}",
    )
    nothing = "the schedule of follows starts on workflow leads, whenever that comes"
    said = run("schedules", "next", "follows")
    assert nothing in said.out + said.err
    assert "  on workflow leads  " in run("schedules").out
    head, line = run("schedules", "fires", "follows").out.splitlines()
    assert ("STARTED BY" in head, line.split()[-1]) == (True, "workflow")
    [fire] = json.loads(run("schedules", "fires", "follows", "--json").out)
    assert (fire["fact"], fire["fact_id"]) == ("workflow", 3)


def test_a_running_task_shows_its_try_its_time_and_its_progress(run, engine):
    number = engine.admit(int(run("submit", "--job", "counting").out), "counting")
    task = number << 20
    long_ago = engine.now if engine.store.dialect.name != "sqlite" else f"{engine.now} - 90000000"
    if engine.store.dialect.name == "postgres":
        long_ago = f"{engine.now} - interval '90 s'"
    if engine.store.dialect.name == "mysql":
        long_ago = f"{engine.now} - INTERVAL 90 SECOND"
    row = {"task_id": task, "fence": 0, "done": 2, "total": 8, "message": "of the symbols", "updated_at": "NOW"}
    engine.sql(
        f"UPDATE qflow.task_instance SET state = 4, started_at = {long_ago}, attempt = 1 WHERE id = {task}",
        engine.insert("task_progress", **row),
    )
    line = run("show", number).out.splitlines()[-1]
    assert line.split()[:3] == ["counting", "RUNNING", "2"]
    assert "  1m3" in line
    assert line.endswith("counting  25% (2/8) of the symbols")
    assert run("show", number, "--json").json["tasks"][0]["progress"] == 0.25


def test_times_are_in_the_zone_that_is_asked_for(run, filled, monkeypatch):
    utc = run("ps").out
    assert "CREATED (UTC)" in utc
    monkeypatch.setenv("QFLOWD_TIMEZONE", "Asia/Shanghai")
    shown = run("ps").out
    assert "CREATED (Asia/Shanghai)" in shown
    created = datetime.fromisoformat(run("ps", "--json").json[0]["created_at"])
    assert f"{created.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M:%S}" in shown
    assert f"{created:%Y-%m-%d %H:%M:%S}" in run("--timezone", "UTC", "ps").out
    [first, *_] = run("logs", 2, "--json").json
    at = datetime.fromisoformat(first["at"]).astimezone(ZoneInfo("Asia/Shanghai"))
    assert run("logs", 2).out.startswith(at.isoformat(timespec="milliseconds") + " hello ")
    refused = run("--timezone", "Nowhere", "ps")
    assert (refused.code, "there is no time zone 'Nowhere'" in refused.err) == (2, True)


def test_limits_are_listed_with_who_set_them(run, sqlite_engine):
    row = {"name": "vendor:x", "capacity": 2, "used": 1, "source": "config", "updated_at": "NOW"}
    sqlite_engine.sql(sqlite_engine.insert("limit_key", **row))
    assert run("limits").out.splitlines()[1].split() == ["vendor:x", "2", "1", "0", "config"]
    assert run("limits", "--json").json[0]["slots"] == 2


def test_an_open_breaker_says_until_when_and_why(run, sqlite_engine):
    at, until = "1795456800000000", "1795457100000000"
    row = {"name": "vendor:x", "capacity": 2, "used": 0, "source": "config", "updated_at": "NOW", "breaker": "{}"}
    sqlite_engine.sql(
        sqlite_engine.insert("limit_key", **row, tripped_at=at, retries_at=until, trip_reason="it is down")
    )
    head, line = run("limits").out.splitlines()
    assert line[head.index("OPEN UNTIL (UTC)") :].split("  ")[0] == "2026-11-23 18:05:00"
    assert line.endswith("it is down")


def test_limits_are_set_and_paused_by_commands(run, sqlite_engine):
    assert run("limits", "set", "vendor:x", 4, "--rate", "200/min", "--no-wait").out == "set vendor:x: asked\n"
    assert run("limits", "set", "vendor:x", "--no-rate", "--no-wait").out == "set vendor:x: asked\n"
    breaker = ("--breaker", "5/min", "--open", "30s", "--on", "ConnectionError", "--on", "timeout")
    assert run("limits", "set", "vendor:x", *breaker, "--no-wait").out == "set vendor:x: asked\n"
    assert run("limits", "set", "vendor:x", "--no-breaker", "--no-wait").out == "set vendor:x: asked\n"
    assert run("limits", "open", "a", "--for", "5m", "--no-wait").out == "open a: asked\n"
    assert run("limits", "close", "a", "--no-wait").out == "close a: asked\n"
    assert run("limits", "pause", "a", "b", "--for", "10m", "--no-wait").out == "pause a: asked\npause b: asked\n"
    assert run("limits", "resume", "a", "--no-wait").out == "resume a: asked\n"
    assert run("limits", "unset", "vendor:x", "--no-wait").out == "unset vendor:x: asked\n"
    rows = sqlite_engine.sql("SELECT action, args FROM qflow.commands ORDER BY id")
    assert [(action, json.loads(args)) for action, args in rows] == [
        ("set_limit", {"limit": "vendor:x", "slots": 4, "rate": ["200/min"]}),
        ("set_limit", {"limit": "vendor:x", "rate": []}),
        (
            "set_limit",
            {
                "limit": "vendor:x",
                "breaker": {"failures": "5/min", "open": "30s", "on": ["ConnectionError", "timeout"]},
            },
        ),
        ("set_limit", {"limit": "vendor:x", "breaker": False}),
        ("open_breaker", {"limit": "a", "for": "5m"}),
        ("close_breaker", {"limit": "a"}),
        ("pause_limit", {"limit": "a", "for": "10m"}),
        ("pause_limit", {"limit": "b", "for": "10m"}),
        ("resume_limit", {"limit": "a"}),
        ("unset_limit", {"limit": "vendor:x"}),
    ]
    refused = run("limits", "set", "vendor:x", "--rate", "1/s", "--no-rate")
    assert (refused.code, "not both" in refused.err) == (2, True)
    refused = run("limits", "set", "vendor:x", "--open", "30s")
    assert (refused.code, "give --breaker as well" in refused.err) == (2, True)


def test_what_became_of_a_limit_is_told(run, sqlite_engine):
    sqlite_engine.daemon()
    result = {"limit": "vendor:x", "slots": 1, "rate": ["5/min"], "source": "command", "used": 3, "new": "it is new"}
    thread = sqlite_engine.answer_commands("DONE", result=json.dumps(result))
    ran = run("limits", "set", "vendor:x", 1)
    thread.join()
    assert ran.out == (
        "set vendor:x: 1 slot, 5/min (command); 3 are in use, and nothing begins until enough of them have ended"
        "; it is new\n"
    )


def test_what_a_signal_brings_is_shown_as_json(run, engine):
    for name, payload in (("bars", '{"rows": 5412, "is_final": true}'), ("day", '"2026-11-20"'), ("go", None)):
        engine.sql(engine.insert("signals", name=name, payload=payload))
    lines = run("signals").out.splitlines()
    shown = {line.split()[1]: line for line in lines[1:]}
    assert '{"rows": 5412, "is_final": true}' in shown["bars"]
    assert '"2026-11-20"' in shown["day"]
    assert "null" not in shown["go"]
