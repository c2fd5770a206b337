"""Workflows that are stored although their tasks name a job or workflow that nobody has: where users are warned."""

import json
import logging

from qflowd.config.records import PoolConfig
from qflowd.engine.membership.registration import register
from qflowd.model.workflow import Job
from qflowd.plugins.registry import Registry

TASKS = {
    "load": {"job": "wrok", "compensate": "undo"},
    "again": {"job": "wrok", "after": "load"},
    "child": {"workflow": "dayly", "after": "again"},
}


def write(folder, name="daily", tasks=TASKS):
    (folder.folder / f"{name}.json").write_text(json.dumps({"workflow": name, "tasks": tasks}), "utf-8")
    folder.look()


def warning(lab, workflow="daily"):
    """The parts of the warning of a workflow; on SQLite they are in no order."""
    rows = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    text = next(row.warning for row in rows if row.workflow == workflow)
    return set(text.split(", ")) if text else None


def ready_daemon(lab, *jobs):
    """The id of a live daemon that knows these jobs."""
    clock = lab.store.dialect.renderer
    later = clock.templates["clock_plus"].format("3600")
    now = clock.words["clock"]
    columns = "name, host, boot_id, pid, lock_file, version, state, memory_mb, started_at, seen_at, lease_ends_at"
    lab.sql(
        f"INSERT INTO qflow.daemon ({columns}) VALUES ('d', 'h', 'b', 1, 'x', '0', 1, 30, {now}, {now}, {later})",
        *(f"INSERT INTO qflow.daemon_job (daemon_id, job) SELECT MAX(id), '{job}' FROM qflow.daemon" for job in jobs),
    )
    return lab.sql("SELECT MAX(id) FROM qflow.daemon")[0][0]


def registered(lab, *jobs):
    about = "'', '{}', '{}', '', 'f', 'h'"
    now = lab.store.dialect.renderer.words["clock"]
    columns = "name, title, params_schema, settings, doc, file, hash, updated_at"
    lab.sql(*(f"INSERT INTO qflow.job ({columns}) VALUES ('{job}', {about}, {now})" for job in jobs))


def test_a_workflow_that_names_what_nobody_has_is_stored_and_says_so_once_in_the_log(folder, caplog):
    caplog.set_level(logging.WARNING, "qflowd")
    lab = folder.lab
    write(folder)
    assert warning(lab) == {
        "no daemon has ever registered job undo",
        "no daemon has ever registered job wrok",
        "there is no workflow dayly",
    }
    folder.look()
    [line] = [record.message for record in caplog.records if "daily" in record.message]
    assert line.startswith("workflow daily is stored, but would wait or fail: ")
    assert "there is no workflow dayly" in line
    number = lab.start("daily")
    assert lab.state(number) == "RUNNING"


def test_a_definition_that_does_not_fit_does_not_keep_other_workflows_from_being_warned_of(folder, caplog):
    (folder.folder / "us_bars.json").write_text(json.dumps({"task": "us_bars", "type": "bars"}), "utf-8")
    write(folder)
    folder.look()
    assert "workflow daily is stored, but would wait or fail: " in caplog.text


def test_the_warning_goes_when_the_job_and_the_workflow_have_come(folder):
    lab = folder.lab
    write(folder)
    registered(lab, "wrok", "undo", "work")
    assert warning(lab) == {
        "there is no workflow dayly"
    }  # without a live daemon nobody can tell of a job that was there
    daemon = ready_daemon(lab, "undo", "work")
    assert warning(lab) == {"no live daemon knows job wrok", "there is no workflow dayly"}
    write(folder, "dayly", {"a": {"job": "work"}})
    lab.sql(f"INSERT INTO qflow.daemon_job (daemon_id, job) VALUES ({daemon}, 'wrok')")
    assert warning(lab) is None
    lab.command("archive", workflow="dayly")
    assert warning(lab) == {"workflow dayly is archived"}
    lab.command("archive", workflow="daily")
    assert warning(lab) is None


def test_a_new_version_is_judged_by_what_it_names_itself(folder):
    lab = folder.lab
    write(folder)
    registered(lab, "work")
    write(folder, tasks={"load": {"job": "work"}})
    assert warning(lab) is None
    lab.command("rollback", workflow="daily")
    assert "there is no workflow dayly" in warning(lab)


FETCH = {"properties": {"symbol": {"type": "string"}, "days": {"type": "integer"}}, "required": ["symbol"]}


def register_fetch(lab, **schema):
    job = Job(
        "fetch", "fetch", "fetch.py", "h", params_schema={"type": "object", "additionalProperties": False} | schema
    )
    register(lab.store, 7, Registry(jobs={"fetch": job}), {"default": PoolConfig()}, is_ready=True)


def test_params_that_do_not_fit_a_job_are_warned_of_until_the_file_or_the_job_changes(folder, caplog):
    lab = folder.lab
    register_fetch(lab, **FETCH)
    write(folder, tasks={"load": {"job": "fetch", "params": {"days": "many", "symbol": "{{ params.day }}"}}})
    assert warning(lab) == {'tasks.load.params.days: "many" is not of type "integer"; write it like 5'}
    folder.look()
    assert "workflow daily is stored, but would wait or fail: tasks.load.params.days" in caplog.text
    write(folder, tasks={"load": {"job": "fetch", "params": {"symbol": "IBM"}}})
    assert warning(lab) is None
    register_fetch(lab, properties=FETCH["properties"], required=["days"])
    assert warning(lab) == {"tasks.load.params: job fetch also needs days"}
    register_fetch(lab, properties={"days": {"type": "string"}, "symbol": {}})
    assert warning(lab) is None
    lab.command("rollback", workflow="daily")
    assert warning(lab) is None  # judged by the job as it is now


def test_a_workflow_of_another_tenant_does_not_count(folder):
    lab = folder.lab
    write(folder)
    write(folder, "dayly", {"a": {"job": "work"}})
    lab.sql("UPDATE qflow.workflow_definition SET tenant = 'others' WHERE workflow = 'dayly'")
    assert "there is no workflow dayly" in warning(lab)
