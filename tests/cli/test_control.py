"""Commands to instances and schedules: asked, answered, refused."""

from __future__ import annotations

import json
import os
import re
import subprocess

from qflowd.cli import control


def test_a_command_is_answered_by_a_daemon(run, own_engine):
    engine = own_engine
    engine.sql(engine.insert("submissions", job="hello"))
    engine.admit(1)
    engine.daemon()
    thread = engine.answer_commands("DONE")
    ran = run("terminate", 1, "--reason", "typo")
    thread.join()
    assert (ran.code, ran.out) == (0, "terminate 1: done\n")
    assert engine.sql("SELECT action, instance_id, reason FROM qflow.commands") == [("terminate", 1, "typo")]


def test_a_refusal_is_exit_code_1(run, sqlite_engine):
    sqlite_engine.daemon()
    thread = sqlite_engine.answer_commands("REJECTED", "instance 9 does not exist")
    ran = run("retry", 9)
    thread.join()
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "qflowd: retry 9: instance 9 does not exist\n"


def test_without_a_daemon_nobody_answers_and_the_command_stands(run, sqlite_engine):
    ran = run("resume", 1, 2, "--json")
    assert ran.code == 1
    assert [answer["state"] for answer in ran.json] == ["NEW", "NEW"]
    assert "no daemon is running" in ran.err
    assert sqlite_engine.sql("SELECT COUNT(*) FROM qflow.commands WHERE is_open = 1") == [(2,)]
    assert run("resume", 3, "--no-wait").out == "resume 3: asked\n"


def test_a_daemon_that_is_dead_or_silent_is_not_waited_for_long(run, own_engine):
    engine = own_engine
    engine.daemon()
    gone = subprocess.Popen(["true"])
    gone.wait()
    here = os.uname().nodename
    clock_plus = engine.store.dialect.renderer.templates["clock_plus"]
    long_ago, later = (f"(SELECT {clock_plus.format(seconds)})" for seconds in (-60, 90))
    for change, silence in (
        (f"host = '{here}', pid = {gone.pid}", rf"desk on {here} \(process {gone.pid} is gone\)"),
        # A lease of 150 s has a beat every 25 s; two have not come.
        (
            f"host = 'far', seen_at = {long_ago}, lease_ends_at = {later}",
            r"desk on far \(for \d+ s; its lease ends in \d+ s\)",
        ),
    ):
        engine.sql(f"UPDATE qflow.daemon SET {change}")
        ran = run("resume", 1)
        assert ran.code == 1
        silent = "; it stays in the inbox; the daemons that are still listed have gone silent: "
        assert re.search(f"no daemon has answered within 2 s{silent}{silence}\n$", ran.err), ran.err


def test_a_daemon_that_falls_silent_while_it_is_waited_for_is_named(run, sqlite_engine, monkeypatch):
    sqlite_engine.daemon("far")
    monkeypatch.setattr(control, "ALIVE_S", 2.5)
    clock_plus = sqlite_engine.store.dialect.renderer.templates["clock_plus"]
    beat, end = (f"(SELECT {clock_plus.format(seconds)})" for seconds in (-31, 59))  # late after 32 s
    sqlite_engine.sql(f"UPDATE qflow.daemon SET host = 'far', seen_at = {beat}, lease_ends_at = {end}")
    assert re.search(r"gone silent: far \(for 3\d s; its lease ends in \d+ s\)\n$", run("resume", 1).err)


def test_a_schedule_is_switched_by_a_command(run, sqlite_engine):
    sqlite_engine.daemon()
    thread = sqlite_engine.answer_commands("DONE")
    ran = run("schedules", "disable", "daily")
    thread.join()
    assert (ran.code, ran.out) == (0, "disable daily: done\n")
    assert sqlite_engine.sql("SELECT action, workflow FROM qflow.commands") == [("disable", "daily")]


def test_several_schedules_are_switched_at_once(run, sqlite_engine):
    assert run("schedules", "enable", "a", "b", "--no-wait").out == "enable a: asked\nenable b: asked\n"
    assert sqlite_engine.sql("SELECT workflow FROM qflow.commands ORDER BY id") == [("a",), ("b",)]


def test_a_schedule_is_fired_set_and_reset_by_commands(run, sqlite_engine):
    asked = ("--schedule", "night", "--no-wait")
    assert run("schedules", "fire", "daily", "--business-date", "2026-11-20", *asked).out == "fire daily: asked\n"
    run("schedules", "set", "daily", "0 9 * * *", "--timezone", "Asia/Shanghai", "--window", "", *asked)
    run("schedules", "set", "daily", "--at", "close", "--no-wait", "--reason", "late")
    run("schedules", "reset", "daily", *asked)
    run("schedules", "disable", "daily", *asked)
    rows = sqlite_engine.sql("SELECT action, args, reason FROM qflow.commands ORDER BY id")
    assert [(action, json.loads(args), reason) for action, args, reason in rows] == [
        ("fire", {"schedule": "night", "business_date": "2026-11-20"}, None),
        ("set_schedule", {"schedule": "night", "cron": "0 9 * * *", "timezone": "Asia/Shanghai", "window": ""}, None),
        ("set_schedule", {"at": "close"}, "late"),
        ("reset_schedule", {"schedule": "night"}, None),
        ("disable", {"schedule": "night"}, None),
    ]


def test_instances_are_chosen_by_a_filter_or_by_their_workflow(run, sqlite_engine):
    assert run("pause", "--workflow", "daily", "--no-wait").out == "pause daily: asked\n"
    assert run("stop", "daily", "--no-wait", "--dry-run").out == "stop daily: asked\n"
    where = ("--where", "state=FAILED", "--where", "business_date=2026-11-20", "--since", "2d")
    assert run("retry", *where, "--workflow", "daily_*", "--dry-run", "--no-wait").out == "retry: asked\n"
    assert run("terminate", "--workflow", "daily", "--no-wait").out == "terminate: asked\n", "not the workflow itself"
    rows = sqlite_engine.sql("SELECT action, workflow, filter, args FROM qflow.commands ORDER BY id")
    chosen = '{"business_date":"2026-11-20","since":"2d","state":"FAILED","workflow":"daily_*"}'
    assert rows == [
        ("pause", "daily", None, None),
        ("stop", "daily", None, '{"dry_run":true}'),
        ("retry", None, chosen, '{"dry_run":true}'),
        ("terminate", None, '{"workflow":"daily"}', None),
    ]


def test_help_says_what_a_workflow_is_that_is_paused_and_that_items_are_paused_together(run):
    for action in ("pause", "resume"):
        text = " ".join(run(action, "--help").out.split())
        assert "--workflow NAME alone is the workflow itself" in text
        assert "Only this task, with all its items." in text
    assert "or this item of a map" in " ".join(run("retry", "--help").out.split())


def test_failures_are_handled_with_a_note(run, sqlite_engine):
    assert run("handle", 42, "--task", "bars[IBM]", "--note", "restated", "--no-wait").out == "handle 42: asked\n"
    where = ("--where", "error_class=*Timeout", "--workflow", "daily_bars")
    assert run("handle", *where, "--note", "an outage", "--no-wait").out == "handle: asked\n"
    assert run("retry", 42, "--task", "bars", "--no-wait").out == "retry 42: asked\n"
    rows = sqlite_engine.sql("SELECT action, instance_id, task, filter, reason FROM qflow.commands ORDER BY id")
    assert rows == [
        ("handle", 42, "bars[IBM]", None, "restated"),
        ("handle", None, None, '{"error_class":"*Timeout","workflow":"daily_bars"}', "an outage"),
        ("retry", 42, "bars", None, None),
    ]


def test_what_cannot_be_chosen_is_wrong_usage(run, sqlite_engine):
    for arguments, why in (
        ((), "name instances by ID, or choose them by --workflow, --where or --since"),
        ((1, "--since", "2d"), "name instances by ID, or choose them by options; not both"),
        (("--where", "FAILED"), "write NAME=VALUE, each name once"),
    ):
        ran = run("retry", *arguments)
        assert (ran.code, why in ran.err) == (2, True)
    ran = run("retry", "--where", "state=BROKEN")
    assert ran.code == 2
    assert "there is no state 'BROKEN'" in ran.err
    ran = run("retry", "--since", 12)
    assert (
        ran.code,
        'since: 12 has no unit; write "12m" for minutes, "12h" for hours or "12d" for days' in ran.err,
    ) == (2, True)
    ran = run("failures", "--where", "class=KeyError")
    assert (ran.code, "class: unknown key" in ran.err) == (2, True)
    assert sqlite_engine.sql("SELECT COUNT(*) FROM qflow.commands") == [(0,)]


def test_what_was_refused_of_many_is_told_and_exit_code_1(run, sqlite_engine):
    sqlite_engine.daemon()
    result = '{"matched":3,"done":2,"refused":1,"refusals":{"7":"instance 7 is READY"}}'
    thread = sqlite_engine.answer_commands("DONE", result=result)
    ran = run("pause", "--where", "state=OPEN")
    thread.join()
    assert (ran.code, ran.out) == (1, "pause: 2 instances, 1 refused\n")
    assert ran.err == "qflowd: 7: instance 7 is READY\n"


def test_one_task_of_many_instances_runs_again_or_is_skipped(run, sqlite_engine):
    chosen = ("--task", "bars", "--where", "state=FAILED", "--workflow", "daily_*", "--no-wait")
    assert run("rerun", *chosen, "--set", "feed=second").out == "rerun: asked\n"
    assert run("skip", *chosen, "--reason", "no session", "--dry-run").out == "skip: asked\n"
    assert run("skip", "--where", "error_class=Halted", "--reason", "halted", "--no-wait").out == "skip: asked\n"
    assert run("compensate", "--workflow", "load", "--since", "2d", "--no-wait").out == "compensate: asked\n"
    assert run("rerun", 4, 5, "--task", "bars", "--no-wait").out == "rerun 4: asked\nrerun 5: asked\n"
    rows = sqlite_engine.sql("SELECT action, instance_id, task, filter, args FROM qflow.commands ORDER BY id")
    daily = '{"state":"FAILED","workflow":"daily_*"}'
    assert rows == [
        ("rerun", None, "bars", daily, '{"set":{"feed":"second"}}'),
        ("skip", None, "bars", daily, '{"dry_run":true}'),
        ("skip", None, None, '{"error_class":"Halted"}', None),
        ("compensate", None, None, '{"since":"2d","workflow":"load"}', None),
        ("rerun", 4, "bars", None, None),
        ("rerun", 5, "bars", None, None),
    ]
    ran = run("skip", "--dry-run")
    example = "`qflowd skip 42 --task bars`, `qflowd skip --task bars --workflow 'daily_*' --since 2d`"
    assert (
        ran.code,
        f"name instances by ID, or choose them by --workflow, --where or --since: {example}" in ran.err,
    ) == (
        2,
        True,
    )
    ran = run("skip", "--where", "state=FAILED", "--dry-run")
    assert (ran.code, "choose failures by --where task=NAME or error_class=NAME" in ran.err) == (2, True)
    ran = run("skip", 4, "--reason", "no session")
    assert (ran.code, "name the task by --task" in ran.err) == (2, True)


def test_a_dry_run_says_what_would_be_done_and_what_would_be_refused(run, sqlite_engine):
    sqlite_engine.daemon()
    would = '"result":{"retried":["bars","news"],"tasks":2,"restarted":3}'
    instances = f'[{{"id":4,"workflow":"daily","state":"FAILED",{would}}}]'
    counts = '"matched":2,"done":1,"refused":1,"refusals":{"7":"instance 7 is READY"}'
    thread = sqlite_engine.answer_commands("DONE", result=f'{{{counts},"instances":{instances},"dry_run":true}}')
    ran = run("retry", "--where", "state=FAILED", "--dry-run")
    thread.join()
    assert ran.out.splitlines() == [
        "ID  WORKFLOW  STATE   RESULT",
        " 4  daily     FAILED  bars, news are retried; tasks that start anew: 3",
        "retry: would apply to 1 instance, 1 refused",
    ]
    assert (ran.code, ran.err) == (1, "qflowd: 7: instance 7 is READY\n")
    result = '{"instance_id":4,"skipped":["bars"],"tasks":1,"waits_for_its_turn":false,"dry_run":true}'
    thread = sqlite_engine.answer_commands("DONE", result=result)
    ran = run("skip", 4, "--task", "bars", "--dry-run")
    thread.join()
    assert (ran.code, ran.out) == (0, "skip 4: would be done: bars is skipped\n")


def test_what_was_so_already_is_told(run, sqlite_engine):
    sqlite_engine.daemon()
    for arguments, result, out in (
        (("pause", 4), '{"instance_id":4,"already":"instance 4 is already PAUSED"}', "pause 4: instance 4 is already PAUSED"),
        (("terminate", "--since", "2d"), '{"matched":3,"done":1,"unchanged":2}', "terminate: 1 instance, 2 unchanged"),
        (("stop", "daily"), '{"matched":2,"done":0,"unchanged":2,"refused":0}', "stop daily: 0 instances, 2 unchanged"),
        (("resume", "--workflow", "d*"), '{"matched":1,"done":1,"refused":0}', "resume: 1 instance; schedules and what is submitted later are as before: `qflowd resume --workflow NAME` is for a workflow itself"),
        (("pause", "--workflow", "daily", "--task", "a"), '{"matched":2,"done":2,"refused":0}', "pause daily: 2 instances"),
        (("pause", "--workflow", "daily"), '{"matched":0,"done":0,"already":"it is paused"}', "pause daily: it is paused; 0 instances"),
        (("pause", "--workflow", "daily"), '{"matched":1,"done":1,"effect":"it is paused"}', "pause daily: it is paused; open instances: 1"),
        (("pause", "--workflow", "daily", "--dry-run"), '{"matched":0,"done":0,"instances":[],"effect":"it would be paused"}',
            "pause daily: it would be paused; open instances: 0"),
    ):  # fmt: skip
        thread = sqlite_engine.answer_commands("DONE", result=result)
        ran = run(*arguments)
        thread.join()
        assert (ran.code, ran.out) == (0, f"{out}\n")
