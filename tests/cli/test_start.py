"""`init`, `validate`, `plan`, `migrate`, `doctor`: what a newcomer meets first."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import tzdata

from qflowd.config import load


@pytest.fixture
def project(run, tmp_path):
    """A fresh project as current folder."""
    assert run("init").code == 0
    return tmp_path


def test_init_makes_a_folder_that_works_whatever_the_umask(run, tmp_path):
    old = os.umask(0o002)
    try:
        ran = run("init", "a/b/desk")
    finally:
        os.umask(old)
    assert ran.code == 0
    desk = tmp_path / "a/b/desk"
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        **dict.fromkeys(("a", "a/b", "a/b/desk", "a/b/desk/plugins", "a/b/desk/workflows"), 0o755),
        **dict.fromkeys((f"a/b/desk/{f}" for f in ("qflowd.toml", "plugins/hello.py", "workflows/hello.yaml")), 0o644),
        "a/b/desk/qflow.db": 0o600,
    }
    assert f"cd {desk.relative_to(tmp_path)}" in ran.out
    assert "qflowd submit hello" in ran.out


def test_the_dashboard_of_a_fresh_project_is_closed_until_its_lines_are_taken_out_of_the_comment(project):
    file = project / "qflowd.toml"
    assert not load(file, {}).api.enabled
    head, mark, section = file.read_text().partition("# [api]")
    assert mark
    keys = [line.removeprefix("# ") for line in section.splitlines()[1:] if " = " in line]
    file.write_text("\n".join([head, "[api]", *keys]))
    api = load(file, {}).api
    assert (api.enabled, str(api.bind)) == (True, "127.0.0.1:8080")


def test_init_overwrites_nothing(run, project):
    for file in ("qflowd.toml", "plugins/hello.py", "workflows/hello.yaml"):
        (project / file).write_text("# mine\n")
    ran = run("init")
    assert ran.code == 0
    assert ran.out.count("kept") == 4
    assert (project / "plugins/hello.py").read_text() == "# mine\n"


def test_init_leaves_another_database_alone(run, tmp_path):
    (tmp_path / "qflowd.yaml").write_text("database: {url: 'postgresql://127.0.0.1:1/x'}\n")
    ran = run("init")
    assert ran.code == 0
    assert "left  postgresql://127.0.0.1:1/x" in ran.out
    assert not (tmp_path / "qflow.db").exists()
    assert not (tmp_path / "qflowd.toml").exists()


def test_init_says_that_the_daemon_will_refuse_the_folder(run, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    ran = run("init", "open")
    assert ran.code == 0
    assert "the daemon will refuse this plugin folder" in ran.err
    assert "chmod go-w" in ran.err


def test_a_fresh_project_is_valid_and_can_be_looked_at(run, project):
    ran = run("validate")
    assert (ran.code, ran.out) == (0, "1 file, no fault\n")
    assert (run("ps").code, run("doctor").code) == (0, 0)
    planned = run("plan", "hello", "-p", "name=you").out
    assert '{"name": "you"}' in planned
    assert "{{ greet.output.greeting }}" in planned


def test_validate_tells_every_fault_with_file_line_and_key(run, project):
    (project / "bad.yaml").write_text(
        "workflow: bad\ntasks:\n  a: {job: helo}\n  b: {job: hello, after: c, params: {nme: x, name: [1]}}\n  d: {job: report}\n"
    )
    (project / "torn.json").write_text('{"workflow": ')
    (project / "twice.toml").write_text('workflow = "hello"\n[tasks.a]\njob = "hello"\n')
    ran = run("validate", "bad.yaml", "torn.json", "twice.toml", "workflows")
    assert ran.code == 1
    faults = ran.out.splitlines()
    assert "bad.yaml:3: tasks.a.job: no job 'helo' is known; did you mean hello?" in faults
    assert "bad.yaml:4: tasks.b.params.nme: job hello has no param 'nme'; did you mean name?" in faults
    assert any(fault.startswith("bad.yaml:4: tasks.b.params.name: ") for fault in faults)
    assert any(fault.startswith("bad.yaml:4: tasks.b.after: no task 'c'") for fault in faults)
    assert any(fault.startswith("torn.json:1") for fault in faults)
    assert any("workflow hello is already defined by twice.toml" in fault for fault in faults)
    found = run("validate", "--json", "bad.yaml").json
    assert found["jobs_checked"] is True
    assert {fault["line"] for fault in found["faults"]} == {3, 4}


def test_validate_tells_once_that_a_plugin_cannot_be_loaded(project):
    (project / "plugins/bad.py").write_text("def (\n")
    command = [sys.executable, "-m", "qflowd", "validate"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0
    assert ran.stderr == f"qflowd: {project}/plugins/bad.py: line 1: SyntaxError: invalid syntax\n"


def test_validate_names_the_folder_that_cannot_be_trusted_once(run, project):
    (project / "plugins").chmod(0o777)
    line = next(line for line in run("validate").err.splitlines() if "can be written to" in line)
    assert line.startswith(f"qflowd: {project}/plugins can be written to by everybody")


def test_without_plugins_or_a_database_jobs_are_not_checked(run, tmp_path):
    (tmp_path / "w.yaml").write_text("workflow: w\ntasks:\n  a: {job: anything}\n")
    ran = run("validate", "w.yaml")
    assert (ran.code, ran.out) == (0, "1 file, no fault\n")
    assert "jobs are not checked" in ran.err


def test_jobs_that_a_daemon_registered_are_known(run, own_engine, tmp_path):
    engine = own_engine
    engine.daemon()
    (tmp_path / "w.yaml").write_text("workflow: w\ntasks:\n  a: {job: hello}\n  b: {job: hallo}\n")
    assert run("validate", "w.yaml").out == "w.yaml:4: tasks.b.job: no job 'hallo' is known; did you mean hello?\n"


SAGA = """workflow: w
saga: true
tasks:
  a: {job: hello, compensate: goodbye}
"""


def test_validate_faults_a_compensation_that_nobody_knows(run, project):
    (project / "plugins/bye.py").write_text("from qflowd import job\n\n@job\ndef goodbyes(): ...\n")
    (project / "w.yaml").write_text(SAGA)
    ran = run("validate", "w.yaml")
    assert ran.out == "w.yaml:4: tasks.a.compensate: no job 'goodbye' is known; did you mean goodbyes?\n"
    assert ran.code == 1


def test_validate_remarks_that_a_saga_undoes_nothing(run, project):
    (project / "w.yaml").write_text(SAGA.replace(", compensate: goodbye", ""))
    ran = run("validate", "w.yaml")
    assert "saga: undoes nothing: no task has a compensation (`@job.compensation`, or `compensate: JOB`)" in ran.err


def test_plan_names_what_undoes_each_task(run, project):
    (project / "plugins/bye.py").write_text(
        "from qflowd import job\n\n@job\ndef load(): ...\n\n@load.compensation\ndef unload(): ...\n"
    )
    (project / "w.yaml").write_text("workflow: w\nsaga: true\ntasks:\n  a: {job: load}\n  b: {job: hello, after: a}\n")
    assert "if it fails, these are undone (reverse): a by unload\n" in run("plan", "w.yaml").out
    assert [task["compensation"] for task in run("plan", "w.yaml", "--json").json["tasks"]] == ["unload", ""]


def test_a_job_that_was_taken_out_of_its_file_is_not_known_once_no_daemon_has_it(run, project):
    command = [sys.executable, "-m", "qflowd", "run", "--until-idle"]
    assert subprocess.run(command, cwd=project, capture_output=True, timeout=60, check=False).returncode == 0
    plugin = project / "plugins/hello.py"
    plugin.write_text(plugin.read_text().replace("def report", "def reports"))
    [fault] = run("validate").out.splitlines()
    assert fault.endswith("tasks.shout.job: no job 'report' is known; did you mean reports?")
    plugin.write_text("def (\n")
    assert run("validate").out == "1 file, no fault\n"


def test_plan_refuses_what_the_engine_would(run, project):
    ran = run("plan", "hello", "-p", "nome=x")
    assert ran.code == 2
    assert "nome" in ran.err
    ran = run("plan", "nobody")
    assert ran.code == 1
    assert "there is no workflow 'nobody'" in ran.err


def test_plan_shows_rendered_params_and_the_next_fires(run, tmp_path):
    (tmp_path / "w.yaml").write_text(
        "workflow: w\nparams: {day: {type: string, default: '{{ business_date }}'}}\n"
        "schedule: {cron: '0 17 * * *', timezone: Asia/Shanghai}\n"
        "tasks:\n  a: {job: x, params: {day: '{{ params.day }}', both: 'd={{ params.day }}'}, retries: 2, timeout: 90s}\n"
    )
    found = run("plan", "w.yaml", "--business-date", "2026-11-20", "--json").json
    [task] = found["tasks"]
    assert task["params"] == {"day": "2026-11-20", "both": "d=2026-11-20"}
    assert (task["retries"], task["timeout"], task["level"]) == (2, "1m30s", 0)
    assert len(found["next_fires"]) == 5
    assert all(f"{fire['business_date']}T09:00:00Z" == fire["fire_at"] for fire in found["next_fires"])
    shown = run("plan", "w.yaml", "--business-date", "2026-11-20").out
    assert "next fires of 0 17 * * * Asia/Shanghai, UTC:" in shown
    assert f"for {found['next_fires'][0]['business_date']}" in shown


def test_plan_says_on_which_fact_a_schedule_starts(run, tmp_path):
    (tmp_path / "w.yaml").write_text("workflow: w\nschedule: {start_on: {workflow: bars}}\ntasks: {a: {job: x}}\n")
    assert run("plan", "w.yaml").out.endswith("\nstarts on workflow bars\n")
    assert run("plan", "w.yaml", "--json").json["next_fires"] == []


@pytest.mark.bare
def test_migrate_makes_the_schema_once(run, database_url, monkeypatch):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", database_url)
    first = run("migrate", "--json").json
    assert first["steps"] > 10
    assert run("migrate").out.endswith(f"already at version {first['version']}\n")
    assert run("ps").code == 0


def test_migrate_prints_the_schema_without_touching_anything(run, tmp_path):
    ran = run("migrate", "--print-sql")
    assert ran.code == 0
    assert "CREATE TABLE IF NOT EXISTS submissions" in ran.out  # for sqlite3, which opens the file itself
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_a_good_store_good(run, own_engine, tmp_path):
    engine = own_engine
    (tmp_path / "plugins").mkdir(mode=0o755)
    engine.daemon()
    ran = run("doctor", "--json")
    levels = {finding["about"]: finding["level"] for finding in ran.json["findings"]}
    assert not [finding for finding in ran.json["findings"] if finding["level"] == "fault"]
    assert ran.code == 0
    assert {"pools", "memory", "plugins", "database", "schema", "isolation", "clock", "indexes", "grants"} <= set(
        levels
    )
    assert all(levels[about] == "ok" for about in ("schema", "isolation", "clock", "indexes", "grants", "daemons"))
    assert run("doctor").out.startswith("ok      configuration:")


def test_doctor_names_releases_of_time_zone_rules_and_zones_where_they_differ(run, own_engine, tmp_path, monkeypatch):
    rules = Path(tzdata.__file__).parent / "zoneinfo"
    (tmp_path / "old/Asia").mkdir(parents=True)
    (tmp_path / "old/tzdata.zi").write_text("# version 2001a\n")
    for name, of in (("Shanghai", "America/New_York"), ("Tokyo", "Asia/Tokyo")):
        shutil.copy(rules / of, tmp_path / "old/Asia" / name)
    own_engine.sql(
        "INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled) "
        "VALUES (1, 'cron', '0 9 * * *', 'Asia/Shanghai', 'none', 0, 1), (2, 'cron', '0 9 * * *', 'Asia/Tokyo', 'none', 0, 1)"
    )
    command = [sys.executable, "-m", "qflowd", "doctor"]
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path / "old"), "QFLOWD_DATABASE_URL": own_engine.url}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
    line = f"time zone data {tzdata.IANA_VERSION} (system: 2001a, package tzdata: {tzdata.IANA_VERSION})"
    assert f"{line}; they differ in Asia/Shanghai\n" in output


def test_doctor_names_a_missing_index(run, own_engine):
    engine = own_engine
    name = "qflow.timer_due" if "mysql" not in engine.url else "timer_due ON qflow.timer"
    engine.sql(f"DROP INDEX {name}")
    ran = run("doctor")
    assert ran.code == 1
    assert "indexes: missing: timer_due" in ran.out


def test_doctor_warns_where_the_server_does_not_know_zones_by_name(run, own_engine):
    out = run("doctor").out
    assert ("CONVERT_TZ with names is NULL" in out) == own_engine.url.startswith("mysql")


def test_doctor_names_what_others_can_write_to(run, project):
    (project / "plugins/hello.py").chmod(0o666)
    (project / "qflow.db").chmod(0o622)
    ran = run("doctor")
    assert ran.code == 1
    assert "chmod go-w" in ran.out
    assert "others could submit anything: chmod 600" in ran.out
    assert "ok      indexes: " in ran.out


@pytest.mark.bare
def test_doctor_without_a_database_is_exit_code_5(run, monkeypatch, postgres_url):
    ran = run("doctor")
    assert ran.code == 5
    assert "there is no database file" in ran.out
    monkeypatch.setenv("QFLOWD_DATABASE_URL", "mysql://127.0.0.1:1/")
    ran = run("doctor")
    assert ran.code == 5
    assert "mysql://127.0.0.1:1/: Can't connect to MySQL server" in ran.out
    monkeypatch.setenv("QFLOWD_DATABASE_URL", postgres_url)
    ran = run("doctor")
    assert ran.code == 5
    assert "holds no qflowd schema" in ran.out


def test_validate_warns_of_what_can_be_stored_and_will_not_run(run, tmp_path):
    (tmp_path / "qflowd.toml").write_text("[pools.io]\nprocesses = 1\n")
    (tmp_path / "w.yaml").write_text(
        "workflow: w\ntasks:\n  look: {job: log, params: {message: x}}\n"
        "  up: {job: log, params: {message: x}, after: {look: look.output}}\n"
        "  down: {job: log, params: {message: x}, pool: io, after: {look: not look.output}}\n"
        "  join: {job: log, params: {message: x}, pool: nowhere, after: [up, down]}\n"
    )
    ran = run("validate", "w.yaml")
    assert (ran.code, ran.out) == (0, "1 file, no fault\n")
    assert (
        "warning: w.yaml:6: tasks.join: can never run: look.output and not look.output above it cannot both hold"
        in ran.err
    )
    assert "warning: w.yaml:6: tasks.join: waits until some daemon has pool nowhere; known are default, io" in ran.err
    assert [warning["key"] for warning in run("validate", "w.yaml", "--json").json["warnings"]] == ["tasks.join"] * 2


def test_validate_warns_of_a_window_that_is_open_on_holidays(run, tmp_path):
    once, named = (
        "schedule: {cron: '*/5 * * * *', window: '09:00-15:00'%s}",
        "schedules: {beat: {cron: '*/5 * * * *', window: '09:00-15:00'%s}}",
    )
    tasks = "tasks:\n  look: {job: log, params: {message: x}}\n"
    for schedule, key in ((once, "schedule.window"), (named, "schedules.beat.window")):
        (tmp_path / "w.yaml").write_text(f"workflow: w\ncalendar: XSHG\n{schedule % ''}\n{tasks}")
        ran = run("validate", "w.yaml")
        what = "fires on holidays as well: `calendar: XSHG` beside `window` keeps it to sessions"
        assert (ran.code, f"warning: w.yaml:3: {key}: {what}" in ran.err) == (0, True)
        for whose in (", calendar: XSHG", ", calendar: XSHE"):
            (tmp_path / "w.yaml").write_text(f"workflow: w\ncalendar: XSHG\n{schedule % whose}\n{tasks}")
            assert "holidays" not in run("validate", "w.yaml").err


def test_doctor_names_folders_that_are_missing_and_every_fault_of_workflow_files(run, project):
    (project / "workflows/again.yaml").write_text("workflow: hello\ntasks:\n  a: {job: hello, afer: b}\n")
    (project / "workflows/twice.yaml").write_text((project / "workflows/hello.yaml").read_text())
    shutil.rmtree(project / "plugins")
    ran = run("doctor")
    assert ran.code == 0
    assert f"note    plugins: there is no folder {project}/plugins" in ran.out
    assert (
        f"warning workflows: {project}/workflows/again.yaml:3: tasks.a.afer: unknown key; did you mean after?"
        in ran.out
    )
    assert f"workflow hello is already defined by {project}/workflows/hello.yaml" in ran.out
    shutil.rmtree(project / "workflows")
    assert f"note    workflows: there is no folder {project}/workflows" in run("doctor").out


def test_in_folders_the_files_are_checked_that_a_daemon_would_read(run, project):
    folder = project / "workflows"
    (folder / "sub").mkdir()
    (folder / "sub" / "bad.yaml").write_text("workflow: bad\n")
    for name in (".hidden.yaml", ".#hello.yaml", "#hello.yaml", "hello.yaml~"):
        (folder / name).write_text("workflow: [")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.yaml").write_text("workflow: [")
    ran = run("validate", "--json")
    assert [str(file).removeprefix(f"{folder}/") for file in ran.json["files"]] == ["hello.yaml", "sub/bad.yaml"]
