"""A login that has only the documented rights: the inboxes and the views."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

import qflowd
from qflowd.cli import exits
from qflowd.client.transport import READS
from qflowd.model.errors import Rejected
from tests.docs.pages import ROOT
from tests.support.stand_in import StandIn

INBOXES = ("submissions", "commands", "signals")
VIEWS = [
    "instances",
    "tasks",
    "attempts",
    "logs",
    "workflows",
    "versions",
    "task_definitions",
    "schedules",
    "fires",
    "jobs",
    "pools",
    "limits",
    "daemons",
]


@pytest.fixture(params=["postgres", "mariadb"])
def limited(request, get_server):
    """A store, its stand-in, and the URL of a login that may do little."""
    server = get_server(request.param)
    url = server.create_store()
    engine = StandIn(url)
    role = "'desk'@'%'" if request.param == "mariadb" else "desk"
    password = "IDENTIFIED BY" if request.param == "mariadb" else "LOGIN PASSWORD"
    run = engine.store.connection().script
    run(f"DROP {'USER' if request.param == 'mariadb' else 'ROLE'} IF EXISTS {role}")
    run(f"CREATE {'USER' if request.param == 'mariadb' else 'ROLE'} {role} {password} 'x'")
    if request.param == "postgres":
        run(f"GRANT USAGE ON SCHEMA qflow TO {role}")
    for name in INBOXES:
        run(f"GRANT SELECT, INSERT ON qflow.{name} TO {role}")
    for name in VIEWS:
        run(f"GRANT SELECT ON qflow.{name} TO {role}")
    parts = urlsplit(url)
    yield engine, f"{parts.scheme}://desk:x@{parts.hostname}:{parts.port}{parts.path}"
    if request.param == "postgres":
        run(f"DROP OWNED BY {role}")
    run(f"DROP {'USER' if request.param == 'mariadb' else 'ROLE'} {role}")
    engine.close()
    server.give_back(url)


def test_with_the_grants_for_python_it_can_read_all_that_the_client_asks(limited):
    engine, url = limited
    is_postgres = url.startswith("postgres")
    file = ROOT / f"sql/grants/{'postgres' if is_postgres else 'mysql'}_python.sql"
    role = "desk" if is_postgres else "'desk'@'%'"
    more = [
        "approvals",
        "datasets",
        "dataset_uses",
        "backfills",
        "backfill_dates",
        "calendar_overrides",
        "own_calendars",
        "session_runs",
        "gaps",
        "late_dates",
        "events",
    ]
    more += ["compensations", "breakpoints", "failures", "handled_failures"]
    for name in more:
        engine.store.connection().script(f"GRANT SELECT ON qflow.{name} TO {role}")
    params = dict.fromkeys((name for names in READS.values() for name in names), 1)
    params |= {"workflow": "w", "task": "t", "name": "n", "series": "s", "batch": 10} | dict.fromkeys(
        ("date_from", "date_to"), "2026-11-20"
    )
    params |= dict.fromkeys(("since", "older_at"), datetime(2026, 11, 20, tzinfo=UTC))
    with qflowd.connect(url) as client:
        match = "account desk lacks a grant: .*denied.*_python.sql for clients"
        with pytest.raises(qflowd.GrantsMissing, match=match) as missing:
            list(client.instances())
        assert exits.report(missing.value) == exits.NO_DATABASE
        statements = file.read_text("utf-8").replace("qflow_client", role).split(";")[:-1]
        for statement in statements:
            engine.store.connection().script(statement)
        for name, needed in READS.items():
            client.transport.read(name, {key: params[key] for key in needed})
        instance = client.submit(job="hello")
        engine.admit(instance.id)
        assert [found.id for found in client.instances()] == [instance.id]


def test_it_can_submit_wait_read_and_command(limited):
    engine, url = limited
    with qflowd.connect(url) as client:
        instance = client.submit(job="hello", params={"a": 1})
        assert instance.state() == "NEW"
        engine.admit(instance.id)
        engine.log(instance.id, "hi")
        engine.finish(instance.id, '{"rows":5}')
        engine.end(instance.id)
        assert instance.wait(10) == "SUCCESS"
        assert instance.output() == {"rows": 5}
        assert instance.info().progress == 1.0
        assert [task.state for task in instance.tasks()] == ["SUCCESS"]
        assert [task.state for task in instance.tasks(limit=1)] == ["SUCCESS"]
        assert instance.count_tasks() == {"SUCCESS": 1}
        assert [line.message for line in instance.logs()] == ["hi"]
        assert [attempt.state for attempt in instance.attempts()] == ["SUCCESS"]
        assert client.daemons() == client.jobs() == client.workflows() == []
        thread = engine.answer_commands("REJECTED", "it has ended")
        with pytest.raises(Rejected, match="it has ended"):
            instance.terminate(timeout=20)
        thread.join()
