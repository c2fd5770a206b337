"""`qflowd validate` of names that other files and the database define: workflows, task types, task definitions."""

from __future__ import annotations

import hashlib

import pytest

from qflowd.model.states import FactKind
from tests.cli.test_definitions import DAILY, DEFINITION, TYPE, store

PARENT = "workflow: parent\ntasks:\n  load: {workflow: daily_bars}\n"
CHILD = "workflow: daily_bars\ntasks:\n  a: {job: log, params: {message: x}}\n"


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, "utf-8")

    return write


def test_files_of_task_types_and_definitions_are_checked_like_workflows(run, write):
    write(bars=TYPE, us_bars=DEFINITION, daily=DAILY)
    ran = run("validate", "bars.yaml", "us_bars.yaml", "daily.yaml")
    assert (ran.code, ran.out) == (0, "3 files, no fault\n")
    checked = run("validate", "bars.yaml", "us_bars.yaml", "daily.yaml", "--json").json
    assert (checked["workflows"], checked["definitions"]) == (["daily"], ["bars", "us_bars"])
    write(
        bars=TYPE + "retires: 3\n",
        us_bars="task: us_bars\ntype: brs\n",
        again="task: us_bars\njob: fetch\n",
        sum="task_type: sum\njob: fetch\n",
    )
    assert run("validate", "bars.yaml", "us_bars.yaml", "again.yaml", "sum.yaml").out.splitlines() == [
        "again.yaml:1: task: task definition us_bars is already defined by us_bars.yaml; rename one of them",
        "bars.yaml:5: retires: unknown key; did you mean retries?",
        "us_bars.yaml:2: type: there is no task type 'brs'; known: sum",
    ]


def test_an_unknown_definition_is_named_with_its_line_and_the_nearest_in_files_beside(run, write):
    write(bars=TYPE, us_bars=DEFINITION, daily=DAILY.replace("us_bars", "us_bar"))
    ran = run("validate", "daily.yaml")
    assert (ran.code, ran.out) == (
        1,
        "daily.yaml:4: tasks.load.task: there is no task definition 'us_bar'; did you mean us_bars?\n",
    )


def test_params_are_judged_with_the_type_that_stands_in_another_file(run, write):
    write(bars=TYPE, us_bars=DEFINITION, daily=DAILY.replace("symbol: AAPL", "symbl: AAPL"))
    assert run("validate", "daily.yaml").out.splitlines() == [
        "daily.yaml:4: tasks.load.params: task type bars also needs symbol",
        "daily.yaml:4: tasks.load.params.symbl: task type bars has no param 'symbl'; did you mean symbol?",
    ]


def test_without_a_database_and_files_beside_it_what_was_not_checked_is_said(run, write):
    write(daily=DAILY)
    ran = run("validate", "daily.yaml")
    assert (ran.code, ran.out) == (0, "1 file, no fault\n")
    assert "not checked: daily.yaml:4: tasks.load.task: there is no task definition 'us_bars' beside it" in ran.err
    assert "the database cannot be asked: there is no database file" in ran.err
    [open_question] = run("validate", "daily.yaml", "--json").json["not_checked"]
    assert (open_question["line"], open_question["key"]) == (4, "tasks.load.task")


def test_an_unknown_workflow_is_named_with_its_line_and_the_nearest(run, write, tmp_path):
    write(parent=PARENT.replace("daily_bars", "dayly_bars"))
    ran = run("validate", "parent.yaml")
    assert ran.code == 0
    assert "not checked: parent.yaml:3: tasks.load.workflow: there is no workflow 'dayly_bars' beside it" in ran.err
    write(child=CHILD)
    for files in (("parent.yaml",), ("parent.yaml", "child.yaml")):
        assert run("validate", *files).out == (
            "parent.yaml:3: tasks.load.workflow: there is no workflow 'dayly_bars'; did you mean daily_bars?\n"
        )
    write(parent=PARENT)
    assert run("validate", "parent.yaml").out == "1 file, no fault\n"


def test_the_database_is_asked_for_workflows_and_definitions(run, own_engine, write):
    store(own_engine, "definition", "us_bars", {"job": "fetch", "params": {"days": 2}}, job="fetch")
    own_engine.workflow("daily_bars", "{}")
    write(parent=PARENT, daily=DAILY)
    ran = run("validate", "parent.yaml", "daily.yaml")
    assert (ran.code, ran.out) == (0, "2 files, no fault\n")
    assert "qflowd: not checked" not in ran.err
    write(parent=PARENT.replace("daily_bars", "daily_bar"), daily=DAILY.replace("us_bars", "us_bar"))
    assert run("validate", "parent.yaml", "daily.yaml").out.splitlines() == [
        "daily.yaml:4: tasks.load.task: there is no task definition 'us_bar'; did you mean us_bars?",
        "parent.yaml:3: tasks.load.workflow: there is no workflow 'daily_bar'; did you mean daily_bars?",
    ]
    own_engine.sql("UPDATE qflow.workflow_definition SET archived_at = updated_at")
    own_engine.sql("UPDATE qflow.task_definition SET archived_at = updated_at, note = 'use eu_bars'")
    write(parent=PARENT, daily=DAILY)
    back, undo = (
        f"`qflowd {of} brings it back" for of in ("definitions unarchive us_bars`", "workflows unarchive daily_bars`")
    )
    assert run("validate", "parent.yaml", "daily.yaml").out.splitlines() == [
        f"daily.yaml:4: tasks.load.task: task definition 'us_bars' is archived: use eu_bars; {back}",
        f"parent.yaml:3: tasks.load.workflow: workflow 'daily_bars' is archived; {undo}",
    ]


def test_a_workflow_that_is_waited_for_is_looked_up_as_one_that_is_started(run, own_engine, write):
    own_engine.workflow("daily_bars", "{}")
    waits = "workflow: nav\ntasks:\n  bars: {wait_for: {workflow: NAME}}\n"
    write(
        nav=waits.replace("NAME", "daily_bars"),
        keyed=waits.replace("nav", "keyed").replace("NAME", '"{{ business_date }}_bars"'),
    )
    ran = run("validate", "nav.yaml", "keyed.yaml")
    assert (ran.code, ran.out) == (0, "2 files, no fault\n")
    write(nav=waits.replace("NAME", "dayly_bars"))
    assert run("validate", "nav.yaml").out == (
        "nav.yaml:3: tasks.bars.wait_for.workflow: there is no workflow 'dayly_bars'; did you mean daily_bars?\n"
    )
    own_engine.sql("UPDATE qflow.workflow_definition SET archived_at = updated_at")
    write(nav=waits.replace("NAME", "daily_bars"))
    assert run("validate", "nav.yaml").out == (
        "nav.yaml:3: tasks.bars.wait_for.workflow: workflow 'daily_bars' is archived; "
        "`qflowd workflows unarchive daily_bars` brings it back\n"
    )


STARTS = "workflow: {}\nschedules:\n  nightly: {{cron: 0 3 * * *}}\n  after: {{start_on: {{workflow: {}}}}}\ntasks:\n  a: {{job: log, params: {{message: x}}}}\n"


def test_workflows_that_start_each_other_are_told_where_they_say_so(run, own_engine, write):
    write(nav=STARTS.format("nav", "report"), report=STARTS.format("report", "daily_bars"), daily_bars=CHILD)
    ran = run("validate", "nav.yaml", "report.yaml", "daily_bars.yaml")
    assert (ran.code, ran.out) == (0, "3 files, no fault\n")
    write(daily_bars="workflow: daily_bars\nschedule: {start_on: {workflow: nav}}\n" + CHILD.partition("\n")[2])
    cycle = ["nav", "report", "daily_bars"]

    def told(begin: int) -> str:
        way = " starts on ".join([*cycle[begin:], *cycle[:begin], cycle[begin]])
        return f"start_on.workflow: {way}, so they would never end; take one start_on away"

    faults = [
        f"daily_bars.yaml:2: schedule.{told(2)}",
        *(f"{cycle[i]}.yaml:4: schedules.after.{told(i)}" for i in (0, 1)),
    ]
    assert run("validate", "nav.yaml", "report.yaml", "daily_bars.yaml").out.splitlines() == faults
    assert run("validate", "nav.yaml").out.splitlines() == faults[1:2], "what stands beside it is read as well"
    write(nav=STARTS.format("nav", "nav"))
    assert "nav starts on nav, so they would never end" in run("validate", "nav.yaml").out


def test_a_cycle_by_way_of_the_database_is_told(run, own_engine, write):
    own_engine.workflow("daily_bars", "{}", cron="0 3 * * *")
    write(nav=STARTS.format("nav", "daily_bars"))
    assert run("validate", "nav.yaml").code == 0
    own_engine.sql(f"UPDATE qflow.schedule SET fact_kind = {FactKind.WORKFLOW:d}, fact_name = 'nav'")
    assert "nav starts on daily_bars starts on nav, so they would never end" in run("validate", "nav.yaml").out


def test_a_workflow_to_start_on_is_looked_up_as_one_that_is_started(run, own_engine, write):
    own_engine.workflow("daily_bars", "{}")
    write(nav=STARTS.format("nav", "dayly_bars"))
    assert run("validate", "nav.yaml").out == (
        "nav.yaml:4: schedules.after.start_on.workflow: there is no workflow 'dayly_bars'; did you mean daily_bars?\n"
    )


def test_a_definition_that_a_command_has_archived_stays_so_until_its_file_changes(run, own_engine, write, tmp_path):
    write(us_bars="task: us_bars\njob: fetch\n", daily=DAILY, parent=PARENT, child=CHILD)
    digest = hashlib.sha256((tmp_path / "us_bars.yaml").read_bytes()).hexdigest()
    more = {"file": str(tmp_path / "us_bars.yaml"), "file_hash": digest, "archived_at": "NOW", "note": "use eu_bars"}
    store(own_engine, "definition", "us_bars", {"job": "fetch"}, job="fetch", **more)
    own_engine.workflow("daily_bars", "{}")
    own_engine.sql("UPDATE qflow.workflow_definition SET archived_at = updated_at")
    archived = (
        "task definition 'us_bars' is archived: use eu_bars; `qflowd definitions unarchive us_bars` brings it back"
    )
    for files in (("daily.yaml",), ("daily.yaml", "us_bars.yaml")):
        assert run("validate", *files).out == f"daily.yaml:4: tasks.load.task: {archived}\n"
    assert run("plan", "daily.yaml").err.endswith(f"daily.yaml:4: tasks.load.task: {archived}\n")
    ran = run("validate", "us_bars.yaml", "parent.yaml", "child.yaml")
    assert f"warning: us_bars.yaml:1: task: {archived}" in ran.err
    assert ran.out == (
        "parent.yaml:3: tasks.load.workflow: workflow 'daily_bars' is archived; "
        "`qflowd workflows unarchive daily_bars` brings it back\n"
    )
    write(us_bars="task: us_bars\njob: fetch\ntimeout: 5m\n")
    assert run("validate", "daily.yaml").code == 0


def test_unknown_names_are_told_beside_other_faults(run, write):
    tasks = "  a: {task: us_bar, retires: 3}\n  b: {workflow: dayly_bars}\n  c: {job: log, after: d}\n"
    write(bars=TYPE, us_bars=DEFINITION, child=CHILD, daily=f"workflow: daily\ntasks:\n{tasks}")
    assert run("validate", "daily.yaml").out.splitlines() == [
        "daily.yaml:3: tasks.a.task: there is no task definition 'us_bar'; did you mean us_bars?",
        "daily.yaml:3: tasks.a.retires: unknown key; did you mean retries?",
        "daily.yaml:4: tasks.b.workflow: there is no workflow 'dayly_bars'; did you mean daily_bars?",
        "daily.yaml:5: tasks.c.after: no task 'd' in this workflow; known: a, b",
    ]


def test_params_of_a_task_that_starts_a_workflow_are_judged_by_what_that_declares(run, write):
    child = CHILD.replace("tasks:", "params: {day: {type: string}, n: {type: integer, default: 1}}\ntasks:")
    write(child=child, parent=PARENT.replace("daily_bars}", "daily_bars, params: {n: x, dya: y}}"))
    for files in (("parent.yaml",), ("parent.yaml", "child.yaml")):
        assert run("validate", *files).out.splitlines() == [
            "parent.yaml:3: tasks.load.params: workflow daily_bars also needs day",
            'parent.yaml:3: tasks.load.params.n: "x" is not of type "integer"; write it like 5',
            "parent.yaml:3: tasks.load.params.dya: workflow daily_bars has no param 'dya'; did you mean day?",
        ]
    write(parent=PARENT.replace("tasks:", "params: {}\ntasks:"))
    assert "workflow daily_bars needs day, and the workflow has no such param" in run("validate", "parent.yaml").out


def test_a_task_that_takes_more_of_a_limit_than_there_is_is_a_fault(run, write, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[limits]\n"vendor:a" = 4\n"bank:*" = {rate = "5/min"}\n')
    write(
        w="workflow: w\ntasks:\n  a: {job: log, params: {message: x}, limits: {'vendor:a': 5, 'bank:b': 6, 'other': 9}}\n"
    )
    assert run("validate", "w.yaml").out.splitlines() == [
        "w.yaml:3: tasks.a.limits: an attempt takes 6 of bank:b, which has a rate of 5/min: it would never begin",
        "w.yaml:3: tasks.a.limits: an attempt takes 5 of vendor:a, which has 4 slots: it would never begin",
    ]


def test_a_connection_that_is_not_configured_here_is_a_hint(run, write, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[connections.vendor]\nurl = "sqlite:///bars.db"\n')
    write(w="workflow: w\ntasks:\n  a: {wait_for: {sql: SELECT 1, connection: vendr}}\n")
    answer = run("validate", "w.yaml")
    assert answer.code == 0
    assert (
        "warning: w.yaml:3: tasks.a.wait_for.connection: waits until some daemon has [connections.vendr]; the configuration"
        " here has none of that name; did you mean vendor?"
    ) in answer.err


def test_a_connection_that_is_kept_from_the_tenant_is_a_fault(run, write, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[connections.vendor]\nurl = "sqlite:///bars.db"\ntenants = ["desk"]\n')
    write(w="workflow: w\ntasks:\n  a: {wait_for: {sql: SELECT 1, connection: vendor}}\n")
    answer = run("validate", "w.yaml")
    assert answer.code == 1
    kept = "connection vendor is not for tenant default, whose this workflow is: add it to [connections.vendor] tenants"
    assert answer.out == f"w.yaml:3: tasks.a.wait_for.connection: {kept}\n"
    assert run("--tenant", "desk", "validate", "w.yaml").code == 0


def test_what_is_not_known_of_a_limit_is_told(run, write, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[limits]\n"bank:*" = 2\nvendor = 2\n')
    task = "workflow: w\ntasks:\n  a: {{job: log, params: {{message: x}}, map: [1], limits: {{{}: 3}}}}\n"
    for limit, doubt in {
        "other": "an attempt takes 3 of other, whose size is not known here",
        "'other:{{ item }}'": "an attempt takes 3 of other:{{ item }}, whose name is known only for each item",
        "'bank:{{ item }}'": "an attempt takes 3 of bank:{{ item }}, whose name is known only for each item; where nobody has set "
        "it by its name it has 2 slots, and the attempt would never begin",
    }.items():
        write(w=task.format(limit))
        validated, planned = run("validate", "w.yaml"), run("plan", "w.yaml")
        assert (validated.code, planned.code) == (0, 0)
        assert f"not checked: w.yaml:3: tasks.a.limits: {doubt}" in validated.err
        assert f"not checked: limits of a: {doubt}" in planned.err
    write(w=task.format("'bank:{{ instance.workflow }}'"))
    assert "whose name is known only when it is submitted" in run("validate", "w.yaml").err
    assert "a task needs 3 slots of limit bank:w, which has 2" in run("plan", "w.yaml").err
    write(w=task.format("vendor"))
    refused = run("plan", "w.yaml")
    assert (refused.code, "a task needs 3 slots of limit vendor, which has 2" in refused.err) == (2, True)


def test_a_plan_of_a_workflow_that_is_made_of_files_needs_no_database(run, write):
    write(bars=TYPE, us_bars=DEFINITION, daily=DAILY)
    [step] = run("plan", "daily.yaml", "--json").json["tasks"]
    assert (step["job"], step["timeout"], step["params"]) == ("fetch", "5m", {"days": 2, "symbol": "AAPL"})
